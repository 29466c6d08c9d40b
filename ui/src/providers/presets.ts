/** Where each kind of server usually listens: what the form suggests. The engine has the same list for what is left open. */
export const addresses: Record<string, string> = {
  openai: 'https://api.openai.com/v1',
  openrouter: 'https://openrouter.ai/api/v1',
  ollama: 'http://localhost:11434/v1',
  lmstudio: 'http://localhost:1234/v1',
  llamacpp: 'http://localhost:8080/v1',
  vllm: 'http://localhost:8000/v1',
  whispercpp: 'http://localhost:8080',
  speaches: 'http://localhost:8000/v1',
  kokoro: 'http://localhost:8880/v1',
  custom: '',
}
