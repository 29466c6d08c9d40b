/** Pictures that a person pastes, drops or chooses for a question. */

/** A picture of a question, ready to be sent. */
export interface Picture {
  name: string
  /** The file as base64: JPEG or PNG. */
  base64: string
  file: Blob
}

/** Larger files, and those of other kinds, are drawn anew. */
const mostBytes = 3_000_000
/** Models see no more of it. */
const longestEdge = 2048

/** The first picture among what was pasted, dropped or chosen. */
export const pictureIn = (files: Iterable<File> | null | undefined): File | undefined =>
  [...(files ?? [])].find((file) => file.type.startsWith('image/'))

/** Reads a picture. Rejects when it is not one that this browser can show. */
export async function readPicture(file: File): Promise<Picture> {
  const sendable = (file.type === 'image/jpeg' || file.type === 'image/png') && file.size <= mostBytes
  const kept = sendable ? file : await redrawn(file)
  return { name: file.name, base64: await encoded(kept), file: kept }
}

function encoded(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => {
      const address = String(reader.result)
      resolve(address.slice(address.indexOf(',') + 1))
    }
    reader.onerror = () => reject(new Error('unreadable'))
    reader.readAsDataURL(file)
  })
}

async function redrawn(file: File): Promise<Blob> {
  const bitmap = await createImageBitmap(file)
  const scale = Math.min(1, longestEdge / Math.max(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(bitmap.width * scale)
  canvas.height = Math.round(bitmap.height * scale)
  const context = canvas.getContext('2d')
  if (!context) throw new Error('no canvas')
  // JPEG knows no transparency.
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/jpeg', 0.9)
  })
}
