import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      'dist/',
      'dist-web/',
      'docs-api/',
      'runs/',
      'kernels/generated/',
      'shaders/generated/',
      'src/autodiff/generated/',
      'src/retrieval/generated/',
      'bench/peers/',
      '.cache/',
    ],
  },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
      'prefer-const': 'error',
    },
  },
);
