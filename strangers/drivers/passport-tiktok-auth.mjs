// Drives passport-tiktok-auth as Passport does: a strategy gets each request, and calls one of five functions.
import passport from 'passport-tiktok-auth'
import { KEY, REDIRECT, SECRET, browse, serve } from './driver.mjs'

function signIn(options) {
  const settings = { clientID: KEY, clientSecret: SECRET, scope: ['user.info.basic'], callbackURL: REDIRECT, ...options }
  const strategy = new passport.Strategy(settings, (_access, _renewal, profile, done) => done(null, profile))
  const session = {}
  return new Promise((resolve, reject) => {
    strategy.success = resolve
    strategy.error = reject
    strategy.fail = (why, status) => reject(new Error(`fail(${JSON.stringify(why)}, ${status})`))
    strategy.redirect = (url) =>
      browse(url).then(
        ({ searchParams }) => strategy.authenticate({ query: Object.fromEntries(searchParams), session }, {}),
        reject,
      )
    strategy.authenticate({ query: {}, session }, {})
  })
}

await serve({
  'sign in': () => signIn({}),
  'sign in with state': () => signIn({ state: true }),
})
