import type { SharpConstructor } from 'sharp';

/**
 * sharp, loaded when the first picture is decoded: importing the library must not need it, as on a server that only
 * renders pages, and `sketchgrad/platform` opens devices without it.
 */
export async function loadSharp(): Promise<SharpConstructor> {
  const { default: sharp } = await import('sharp').catch((cause: unknown) => {
    throw new Error(
      `pictures are decoded by the npm package sharp, which cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}. Run \`npm install sharp\`.`,
      { cause },
    );
  });
  return sharp;
}
