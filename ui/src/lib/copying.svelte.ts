/** Copies a text to the clipboard and remembers whether it worked. */
export class Copying {
  done = $state(false)

  async copy(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text)
      this.done = true
    } catch {
      // Without a clipboard the text can still be selected.
      this.done = false
    }
    return this.done
  }
}
