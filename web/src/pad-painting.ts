import { drawStrokes, LINE, type Content } from './pad-content.ts';

/** How strong a picture is that is drawn over. */
const UNDERLAY_ALPHA = 0.3;

/** Paints what is on a pad at the resolution of the screen. @param underlay a picture to draw over */
export function paintPad(
  context: CanvasRenderingContext2D,
  { strokes, backdrop }: Content,
  underlay: ImageBitmap | undefined,
): void {
  const { canvas } = context;
  const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, side, side);
  if (backdrop !== undefined) context.drawImage(backdrop.bitmap, 0, 0, side, side);
  if (underlay !== undefined) paintUnderlay(context, underlay, side);
  drawStrokes(context, strokes, ({ x, y }) => ({ x: x * side, y: y * side }), LINE * side);
}

function paintUnderlay(context: CanvasRenderingContext2D, underlay: ImageBitmap, side: number): void {
  const { width, height } = underlay;
  const scale = side / Math.max(width, height);
  context.globalAlpha = UNDERLAY_ALPHA;
  context.drawImage(underlay, (side - scale * width) / 2, (side - scale * height) / 2, scale * width, scale * height);
  context.globalAlpha = 1;
}
