// Drives the TikTok provider of @better-auth/core, as Better Auth does: with a state and a verifier of its making.
import { randomBytes } from 'node:crypto'
import { tiktok } from '@better-auth/core/social-providers'
import { KEY, REDIRECT, SECRET, browse, serve } from './driver.mjs'
import { documentedSignIn } from './documented.mjs'

const provider = tiktok({ clientKey: KEY, clientSecret: SECRET })
let held

async function refresh() {
  held = await provider.refreshAccessToken(held.refreshToken)
}

await serve({
  'sign in': async () => {
    const [state, codeVerifier] = [randomBytes(16).toString('hex'), randomBytes(48).toString('hex')]
    const callback = await browse(await provider.createAuthorizationURL({ state, codeVerifier, redirectURI: REDIRECT }))
    const code = callback.searchParams.get('code')
    held = await provider.validateAuthorizationCode({ code, codeVerifier, redirectURI: REDIRECT })
    if (!(await provider.getUserInfo(held))) throw new Error('getUserInfo() returned null')
  },
  adopt: async () => {
    held = { refreshToken: (await documentedSignIn()).refresh_token }
  },
  refresh,
  'refresh when revoked': refresh,
})
