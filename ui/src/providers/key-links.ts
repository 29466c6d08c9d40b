/** Where a person gets an API key. */
export interface KeyLink {
  url: string
  /** Whether the provider has keys that cost nothing. */
  free: boolean
}

export const keyLinks: Record<string, KeyLink> = {
  groq: { url: 'https://console.groq.com/keys', free: true },
  gemini: { url: 'https://aistudio.google.com/apikey', free: true },
  openrouter: { url: 'https://openrouter.ai/settings/keys', free: true },
  openai: { url: 'https://platform.openai.com/api-keys', free: false },
}
