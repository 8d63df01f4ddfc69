/** WGSL with a name. scripts/embed-shaders.mjs makes one of each file, so that a bundle has those it uses. */
export interface Shader {
  /** What errors and profiles call it. */
  readonly name: string;
  readonly source: string;
}
