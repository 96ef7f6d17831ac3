// What the samples in the docs take for granted: what is the reader's own, and packages that this repository has not
// installed. Never a name of the library, but for the two objects that every page goes on with: `options` and `oauth`.

declare namespace Express {
  interface Request {
    /** Of the reader's session middleware. */
    session: { user?: { id: string; signedInAt: number }; loginId: string }
  }
}

// Made as the README shows.
declare const options: import('express-token-endpoint').TokenRouterOptions
declare const oauth: import('express-token-endpoint').TokenRouter
declare const authorize: import('express-token-endpoint').AuthorizeFunction
declare const store: import('express-token-endpoint').TokenStore
declare const issuer: string
declare const partner: import('express-token-endpoint').Client
/** More clients. */
declare const apps: import('express-token-endpoint').Client[]
/** As `createClientSecret` makes them. */
declare const hash: string
declare const apiHash: string

// The app.
declare const app: import('express').Express
declare const server: import('node:http').Server
declare const yourSessions: import('express').RequestHandler
declare const userId: string

interface User {
  disabled: boolean
  signedOutAt: Date
  name: string
  email: string
  emailVerified: boolean
  updatedAt: Date
}

declare const users: {
  isActive(id: string): Promise<boolean>
  byId(id: string): Promise<User | undefined>
  byApiKey(key: string): Promise<{ id: string; scopes: string[] } | undefined>
}

declare const consents: {
  has(user: { id: string }, client: { client_id: string }, asksFor: readonly string[]): Promise<boolean>
  remember(user: { id: string }, client: { client_id: string }, asksFor: readonly string[]): Promise<void>
}

// What the reader's own authorize page ends in.
declare function decide(
  ...args: Parameters<import('express-token-endpoint').AuthorizeFunction>
): Promise<import('express-token-endpoint').Approval | import('express-token-endpoint').Denial | undefined>

declare const memberships: { since(userId: string): Promise<string> }

// The reader's own logins.
declare const sid: string
declare function endSession(req: import('express').Request): Promise<void>

// Against forms of other sites.
declare function csrfToken(req: import('express').Request): string
declare function hasCsrfToken(req: import('express').Request, presented: unknown): boolean
declare function isCsrfToken(session: object, presented: unknown): boolean

// A resource server that asks for introspection.
declare const clientId: string
declare const secret: string
declare const token: string

// What they run besides.
declare const db: {
  query(
    sql: string,
    values: unknown[],
  ): Promise<{ rows: { record: import('express-token-endpoint').Client }[] }>
}
declare const redis: import('ioredis').Redis
declare const url: string
declare const password: string
declare const ca: string
declare const keyId: string
declare const publicJwk: import('node:crypto').JsonWebKey
declare const nobodysJwks: import('jose').JSONWebKeySet

/** As in 3.1162. */
declare module '@aws-sdk/client-kms' {
  export class KMSClient {
    constructor(options: { requestHandler: { requestTimeout: number } })
    send(command: SignCommand): Promise<{ Signature?: Uint8Array | undefined }>
  }
  export class SignCommand {
    private readonly input
    constructor(input: {
      KeyId: string | undefined
      Message: Uint8Array | undefined
      MessageType?: 'DIGEST' | 'EXTERNAL_MU' | 'RAW'
      SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256' | 'ECDSA_SHA_256' | undefined
    })
  }
}

/** As in 6.0. */
declare module 'rate-limit-redis' {
  import type { ClientRateLimitInfo, Store } from 'express-rate-limit'

  type Data = boolean | number | string
  export type RedisReply = Data | Data[]
  export class RedisStore implements Store {
    constructor(options: { prefix?: string; sendCommand(...args: string[]): Promise<RedisReply> })
    get(key: string): Promise<ClientRateLimitInfo | undefined>
    increment(key: string): Promise<ClientRateLimitInfo>
    decrement(key: string): Promise<void>
    resetKey(key: string): Promise<void>
  }
}
