/** Puts a text on the clipboard and remembers for a moment that it worked. */
export class Copying {
  done = $state(false)

  async copy(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text)
      this.done = true
    } catch {
      // Without a clipboard the button stays as it is; the text can be selected.
      this.done = false
    }
    return this.done
  }
}
