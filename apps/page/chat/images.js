// Images that are dropped, pasted or chosen, as data: URLs for the server. PNG and JPEG files of moderate size go as
// they are; others, and large ones, are drawn again by the browser as JPEG.

const MAX_BYTES = 4 << 20;
const MAX_SIDE = 2048; // pixels; models look at less
export const MAX_IMAGES = 16; // in one message

export const imagesOf = (items) => [...items].filter((file) => file.type.startsWith('image/'));

// Throws an Error with a sentence.
export async function readImage(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || 'The image'} cannot be read as an image by this browser.`);
  }
  if (file.size <= MAX_BYTES && /^image\/(png|jpeg)$/.test(file.type)) {
    bitmap.close();
    return dataUrl(file);
  }
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#ffffff'; // JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL('image/jpeg', 0.92);
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name || 'The image'} cannot be read.`));
    reader.readAsDataURL(file);
  });
}
