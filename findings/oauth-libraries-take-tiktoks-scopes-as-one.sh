#!/usr/bin/env bash
# What surprises: two OAuth libraries with a TikTok provider give the scopes of TikTok's token answer as one scope, so that a check
# such as `scopes.includes('video.publish')` is false for a person who granted it.
#
# TikTok separates scopes by commas (https://developers.tiktok.com/doc/oauth-user-access-token-management). arctic 3.7.0 and
# @better-auth/core 1.7.25 split them at blanks, as RFC 6749 has it, also in their TikTok providers; both providers join the scopes
# of the request by commas, as TikTok wants. @better-auth/core also looks for `refresh_token_expires_in`, where TikTok says
# `refresh_expires_in`: so it knows no end of the refresh token.
# A failed call of arctic hides TikTok's word: TikTok was seen to refuse with status 200, and arctic takes that for tokens.
#
# This script installs both into a temporary folder, answers in place of TikTok without a network, and fails as soon as one of these
# facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts arctic@3.7.0 @better-auth/core@1.7.25
cat >seen.js <<'JAVASCRIPT'
import { TikTok } from 'arctic'
import { tiktok } from '@better-auth/core/social-providers'

let answer
globalThis.fetch = async () => new Response(JSON.stringify(answer), { headers: { 'content-type': 'application/json' } })
answer = {
  access_token: 'act.1', expires_in: 86400, open_id: '-000', refresh_token: 'rft.1', refresh_expires_in: 31536000,
  scope: 'user.info.basic,video.publish', token_type: 'Bearer',
}
const arctic = new TikTok('key', 'secret', 'https://app.example.com/callback/')
const better = tiktok({ clientKey: 'key', clientSecret: 'secret' })
const code = { code: 'c', codeVerifier: 'v', redirectURI: 'https://app.example.com/callback/' }
console.log('arctic, scopes:', JSON.stringify((await arctic.validateAuthorizationCode('c', 'v')).scopes()))
const tokens = await better.validateAuthorizationCode(code)
console.log('better-auth, scopes:', JSON.stringify(tokens.scopes))
console.log('better-auth, end of the refresh token:', tokens.refreshTokenExpiresAt)
answer = { error: 'invalid_grant', error_description: 'Authorization code is expired.', log_id: '1' }
const refused = await arctic.validateAuthorizationCode('c', 'v')
try {
  refused.accessToken()
} catch (error) {
  console.log('arctic, a refusal:', error.message)
}
JAVASCRIPT
cat >expected <<'TEXT'
arctic, scopes: ["user.info.basic,video.publish"]
better-auth, scopes: ["user.info.basic,video.publish"]
better-auth, end of the refresh token: undefined
arctic, a refusal: Missing or invalid 'access_token' field
TEXT
node seen.js | tee found
diff expected found || { echo "This has changed."; exit 1; }
