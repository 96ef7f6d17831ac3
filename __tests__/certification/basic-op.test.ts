// What the OpenID Foundation's Basic OP certification asks, of examples/oidc in a process of its own.
import { describeBasicProfile } from './basic-profile'

describeBasicProfile('Basic OP', 'query')
