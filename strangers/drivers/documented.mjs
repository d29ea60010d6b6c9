// A sign-in as TikTok documents it, for a client whose own sign-in was refused.
import { createHash, randomBytes } from 'node:crypto'
import { KEY, REDIRECT, SECRET, browse } from './driver.mjs'

export async function documentedSignIn() {
  const verifier = randomBytes(32).toString('hex')
  const asked = new URLSearchParams({
    client_key: KEY,
    scope: 'user.info.basic,user.info.profile,video.publish',
    response_type: 'code',
    redirect_uri: REDIRECT,
    state: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('hex'),
    code_challenge_method: 'S256',
  })
  const callback = await browse(`https://www.tiktok.com/v2/auth/authorize/?${asked}`)
  const body = new URLSearchParams({
    client_key: KEY,
    client_secret: SECRET,
    code: callback.searchParams.get('code'),
    grant_type: 'authorization_code',
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  })
  const tokens = await (await fetch('https://open.tiktokapis.com/v2/oauth/token/', { method: 'POST', body })).json()
  if (!tokens.access_token) throw new Error(tokens.error)
  return tokens
}
