// Taking in a photo: picked, taken, dropped or pasted; made smaller before it is sent.

const SIDE = 1600; // pixels; no encoder looks closer
const BYTES = 2_000_000;

// { blob, url, width, height }; width is 0 where the browser cannot show the file.
export async function takeIn(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { blob: file, url: "", width: 0, height: 0 };
  }
  const { width, height } = bitmap;
  const blob = Math.max(width, height) > SIDE || file.size > BYTES ? await smaller(bitmap) : file;
  bitmap.close();
  return { blob, url: URL.createObjectURL(blob), width, height };
}

function smaller(bitmap) {
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // as the service lays transparent pictures on white
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}

const imageIn = (files) => [...files].find((file) => file.type.startsWith("image/")) ?? files[0];

// Calls `onFile` for a photo dropped anywhere or pasted; shows `veil` while one hovers.
export function listen(veil, onFile) {
  let depth = 0;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const hover = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => carries(event) && (event.preventDefault(), hover(1)));
  addEventListener("dragleave", (event) => carries(event) && hover(-1));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    hover(-depth);
    const file = imageIn(event.dataTransfer.files);
    if (file) onFile(file);
  });
  addEventListener("paste", (event) => {
    const file = imageIn(event.clipboardData?.files ?? []);
    if (!file) return;
    event.preventDefault();
    onFile(file);
  });
}
