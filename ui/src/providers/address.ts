/** Whether a text can be the address of a server. */
export const isAddress = (text: string) => /^https?:\/\/\S+$/.test(text.trim())
