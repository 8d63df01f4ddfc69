// The package's entry for Node holds no module; the file for browsers, which Node takes as well, comes without types.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
