// Drives arctic.
import { TikTok, generateCodeVerifier, generateState } from 'arctic'
import { KEY, REDIRECT, SECRET, browse, serve } from './driver.mjs'

const tiktok = new TikTok(KEY, SECRET, REDIRECT)
let access, renewal

function keep(tokens) {
  access = tokens.accessToken()
  renewal = tokens.refreshToken()
}

async function refresh() {
  keep(await tiktok.refreshAccessToken(renewal))
}

await serve({
  'sign in': async () => {
    const verifier = generateCodeVerifier()
    const url = tiktok.createAuthorizationURL(generateState(), verifier, ['user.info.basic', 'video.publish'])
    const callback = await browse(url)
    keep(await tiktok.validateAuthorizationCode(callback.searchParams.get('code'), verifier))
  },
  adopt: async () => {
    const { documentedSignIn } = await import('./documented.mjs')
    const said = await documentedSignIn()
    access = said.access_token
    renewal = said.refresh_token
  },
  refresh,
  revoke: () => tiktok.revokeToken(access),
  'refresh when revoked': refresh,
})
