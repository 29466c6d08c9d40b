/** Whether a text is an http or https URL. */
export const isAddress = (text: string) => /^https?:\/\/\S+$/.test(text.trim())
