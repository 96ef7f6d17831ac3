// What the OpenID Foundation's Form Post OP certification asks: the modules of Basic OP, with form_post.
import { describeBasicProfile } from './basic-profile'

describeBasicProfile('Form Post OP', 'form_post')
