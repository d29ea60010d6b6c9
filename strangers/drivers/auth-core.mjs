// Drives @auth/core as a web server does: one request for each page that the person's browser opens.
import { Auth, skipCSRFCheck } from '@auth/core'
import TikTok from '@auth/core/providers/tiktok'
import { KEY, SECRET, browse, serve } from './driver.mjs'

const SITE = 'https://app.example.com/auth'

async function signIn(options) {
  let failed
  const config = {
    providers: [TikTok({ clientId: KEY, clientSecret: SECRET, ...options })],
    secret: 'a secret of this driver',
    trustHost: true,
    basePath: '/auth',
    skipCSRFCheck,
    logger: { error: (error) => (failed = error), warn() {}, debug() {} },
  }
  const begun = await Auth(new Request(`${SITE}/signin/tiktok`, { method: 'POST', body: new URLSearchParams() }), config)
  const cookie = begun.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  const callback = await browse(begun.headers.get('location'))
  const done = await Auth(new Request(callback, { headers: { cookie } }), config)
  const session = done.headers.getSetCookie().some((one) => one.includes('session-token='))
  if (failed) throw failed.cause?.err ?? failed
  if (!session) throw new Error(`no session, but ${done.headers.get('location')}`)
}

await serve({
  'sign in': () => signIn({}),
  'sign in with state': () => signIn({ checks: ['pkce', 'state'] }),
})
