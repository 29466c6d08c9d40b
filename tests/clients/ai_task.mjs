// A task for the Vercel AI SDK.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'

const aura = createOpenAICompatible({ name: 'aura', baseURL: `${process.env.AURA_URL}/v1`, apiKey: process.env.AURA_KEY })
const weather = tool({ description: 'The weather in a city', inputSchema: z.object({ city: z.string() }), execute: async () => '21 degrees' })
const options = process.env.AURA_TOOL ? { tools: { weather }, stopWhen: stepCountIs(3) } : {}
const result = streamText({ model: aura('auto'), prompt: process.argv[2], ...options })
let text = ''
for await (const piece of result.textStream) text += piece
if (!process.env.AURA_TOOL) {
  const { embedding } = await embed({ model: (aura.embeddingModel ?? aura.textEmbeddingModel)('auto'), value: 'Paris' })
  if (embedding.length < 100) throw new Error('no vector')
}
console.log(text)
