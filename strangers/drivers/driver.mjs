// What the drivers of clients for Node share: the browser, and the words with the program that asks for acts, as in driver.py.
import { createInterface } from 'node:readline'

export const KEY = process.env.TIKTOK_CLIENT_KEY
export const SECRET = process.env.TIKTOK_CLIENT_SECRET
export const REDIRECT = 'https://app.example.com/callback/'

export class OnThePage extends Error {}

// Does what a person's browser does with an authorization URL; returns the address to which TikTok sends it.
export async function browse(url) {
  const answer = await fetch(url, { redirect: 'manual' })
  const location = answer.headers.get('location') ?? ''
  if (location && !location.startsWith('/')) return new URL(location)
  const said = new URL(location || '/', 'https://www.tiktok.com').searchParams
  throw new OnThePage(['error', 'error_type', 'errCode'].map((name) => said.get(name)).filter(Boolean).join(' '))
}

export async function serve(acts) {
  for await (const line of createInterface({ input: process.stdin })) {
    const wish = JSON.parse(line)
    let answer = {}
    try {
      await acts[wish.act](wish)
    } catch (error) {
      console.error(error)
      if (error instanceof OnThePage) answer = { page: error.message }
      else if (error instanceof Error) answer = { error: `${error.constructor.name}: ${error.message}` }
      else answer = { error: `thrown: ${JSON.stringify(error)}` }
    }
    process.stdout.write(`\n@@${JSON.stringify(answer)}\n`)
  }
  process.exit(0)
}
