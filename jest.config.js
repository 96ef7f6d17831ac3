// Packages that exist as ES modules only: transformed like our own code, so that a test imports them like any other.
const esmOnly = ['openid-client', 'oauth4webapi', 'jose']

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  transform: {
    '\\.m?[jt]s$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
  // Tests import the package by its name, as its users do, and get the source.
  moduleNameMapper: {
    '^express-token-endpoint$': '<rootDir>/lib/index.ts',
    '^express-token-endpoint/(postgres|sqlite)$': '<rootDir>/lib/stores/$1.ts',
    '^express-token-endpoint/(.*)$': '<rootDir>/lib/$1/index.ts',
  },
  // The packed package has a package.json of the same name; dist is not what is tested.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.tmp/'],
  reporters: ['default', '<rootDir>/scripts/jest-totals.js'],
  testTimeout: 30_000,
  maxWorkers: 2,
}
