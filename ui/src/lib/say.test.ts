import { describe, expect, it } from 'vitest'
import { readySnapshot, sampleFindings, sampleProvider, sampleTurn } from '../backend/samples'
import type { Attempt } from '../generated/Attempt'
import type { Diagnostic } from '../generated/Diagnostic'
import type { ModelView } from '../generated/ModelView'
import type { Notice } from '../generated/Notice'
import type { RoutePreference } from '../generated/RoutePreference'
import type { RouteView } from '../generated/RouteView'
import { setPreferences } from './preferences.svelte'
import { sayError, sayFinding, sayHistoryProblem, sayNote, sayNotice, sayProviderProblem, sayWhy, subjectOf } from './say'

const snapshot = readySnapshot()
const [sample] = sampleTurn('a').stages.flatMap((stage) => stage.attempts)
const attempt = (service: Attempt['service'], provider: string, failed?: Attempt['class']): Attempt => {
  const one = { ...(sample as Attempt), service, route: { provider, model: 'm' } }
  delete one.class
  return failed === undefined ? one : { ...one, class: failed }
}
const say = (notice: Partial<Notice>, attempts: Attempt[] = [], others: Notice[] = []) => {
  const whole = { kind: 'fallback', message: 'English.', ...notice } as Notice
  return sayNotice(whole, snapshot, [...others, whole], attempts)
}

describe('what AURA has to say', () => {
  it('is its own sentence in English', () => {
    setPreferences({ language: 'en' })
    expect(sayError({ code: 'disk_full', message: 'No room on /data.' })).toBe('No room on /data.')
    expect(say({ kind: 'cut' })).toBe('English.')
  })

  it('is a sentence of the window in another language', () => {
    setPreferences({ language: 'de' })
    expect(sayError({ code: 'disk_full', message: 'No room.' })).toMatch(/^Der Datenträger ist voll/)
    const detail = [attempt('llm', 'groq', 'timeout'), attempt('llm', 'groq', 'timeout'), attempt('llm', 'gemini', 'quota')]
    expect(sayError({ code: 'all_routes_failed', message: 'English.', detail }, snapshot)).toBe(
      'Kein Anbieter konnte helfen: Groq hat zu lange gebraucht, Gemini hat kein Kontingent mehr. Deine Frage ist gespeichert. Versuche es gleich noch einmal.',
    )
    // These codes say different things each time.
    expect(sayError({ code: 'invalid_request', message: 'The title is too long.' })).toBe('The title is too long.')
  })

  it('names who failed and who took over, for each service once', () => {
    setPreferences({ language: 'es' })
    const first = { kind: 'fallback', message: 'Groq did not answer.' } as Notice
    const calls = [
      attempt('stt', 'groq', 'timeout'),
      attempt('stt', 'gemini'),
      attempt('llm', 'gemini', 'overloaded'),
      attempt('llm', 'groq'),
    ]
    expect(say(first, calls)).toBe('Groq tardó demasiado. Gemini tomó el relevo.')
    expect(say({ message: 'Second.' }, calls, [first])).toBe('Gemini estaba sobrecargado. Groq tomó el relevo.')
    expect(say({ message: 'Third.' }, [])).toBe('Third.')
  })

  it('tells the facts of a notice', () => {
    setPreferences({ language: 'de' })
    const model = { model: 'old', replacement: 'new' }
    expect(say({ kind: 'model_replaced', facts: { ...model, reason: 'retired', retired_on: '2026-08-16' } })).toBe(
      'old wurde am 16. August 2026 eingestellt. Jetzt antwortet new.',
    )
    expect(say({ kind: 'model_gone', facts: { ...model, reason: 'gone' } })).toBe(
      'old wird nicht mehr angeboten. Jetzt antwortet new.',
    )
    expect(say({ kind: 'not_ready', facts: { provider: 'groq', reason: 'key_rejected' } })).toBe(
      'Groq wurde übersprungen: hat den API-Schlüssel abgelehnt.',
    )
    expect(say({ kind: 'recording_limit', facts: { seconds: 120 } })).toContain('120 s')
    expect(say({ kind: 'voice_language', facts: { language: 'fr' } })).toContain('spricht Französisch')
    expect(say({ kind: 'no_screen', facts: { error: 'capture_refused' } })).toMatch(/^Der Bildschirm/)
    // A notice of another version, or of an old record without facts.
    for (const kind of ['unknown', 'model_replaced', 'not_ready', 'recording_limit', 'voice_language'] as const)
      expect(say({ kind })).toBe('English.')
  })
})

describe('a problem of a provider or of the history', () => {
  const problem = 'Its address `nowhere` is not valid.'
  const provider = sampleProvider('groq', 'Groq', { problem, problem_facts: { kind: 'invalid_address', address: 'nowhere' } })
  const repaired = readySnapshot({
    history_problem: 'AURA repaired it.',
    history_problem_facts: { kind: 'repaired', turns: 1200, from_backup: 3, kept: '/data/history.broken' },
  })

  it('is AURA’s own sentence in English', () => {
    setPreferences({ language: 'en' })
    expect(sayProviderProblem(provider)).toBe(problem)
    expect(sayHistoryProblem(repaired)).toBe('AURA repaired it.')
  })

  it('is a sentence of the window in another language', () => {
    setPreferences({ language: 'de' })
    expect(sayProviderProblem(provider)).toBe('Die Adresse „nowhere“ ist ungültig.')
    expect(sayHistoryProblem(repaired)).toMatch(/1\.200 Fragen .* Sicherung: 3\. .* \/data\/history\.broken/)
    setPreferences({ language: 'es' })
    const inMemory = { kind: 'in_memory', reason: 'disk_full' } as const
    const full = readySnapshot({ history_problem: 'The disk is full.', history_problem_facts: inMemory })
    expect(sayHistoryProblem(full)).toMatch(/^El disco está lleno\./)
    // An older AURA tells no facts.
    expect(sayHistoryProblem(readySnapshot({ history_problem: 'The disk is full.' }))).toBe('The disk is full.')
  })
})

describe('a remark about a model', () => {
  const model = { note: 'preview', note_facts: { kind: 'preview' } } as ModelView

  it('is AURA’s own in English, and one of the window in another language', () => {
    setPreferences({ language: 'en' })
    expect(sayNote(model)).toBe('preview')
    setPreferences({ language: 'de' })
    expect(sayNote(model)).toBe('Vorschau')
    setPreferences({ language: 'es' })
    const page = 'console.groq.com'
    expect(sayNote({ ...model, note_facts: { kind: 'accept_terms', page } })).toBe(`Acepta una vez sus condiciones en ${page}.`)
    // The name of a model on this computer.
    expect(sayNote({ note: 'Parakeet' } as ModelView)).toBe('Parakeet')
  })
})

describe('why a provider is asked first', () => {
  const first = { provider: 'groq', model: 'm', ms: 310, calls: 24, quality: 3, usd: 0.0002 }
  const second = { provider: 'gemini', model: 'n', calls: 0, quality: 5 }
  const view = (by: RoutePreference): RouteView => ({
    service: 'llm',
    routes: [],
    why: 'English.',
    why_facts: { by, first, second },
  })

  it('is AURA’s own sentence in English, and one of the window in another language', () => {
    setPreferences({ language: 'en' })
    expect(sayWhy(view('speed'), snapshot)).toBe('English.')
    setPreferences({ language: 'de' })
    expect(sayWhy(view('speed'), snapshot)).toBe(
      'Groq ist am schnellsten: meist 310 ms bei 24 Aufrufen; Gemini: noch nicht gemessen.',
    )
    expect(sayWhy(view('quality'), snapshot)).toBe('Groq hat das beste Modell, m: Qualität 3 von 5; Gemini: Qualität 5 von 5.')
    expect(sayWhy(view('cost'), snapshot)).toMatch(/je Anfrage; Gemini: Preis unbekannt\.$/)
    setPreferences({ language: 'es' })
    expect(sayWhy(view('balanced'), snapshot)).toMatch(/^Groq gana en velocidad, calidad y coste: .*, calidad 3 de 5, .*;/)
  })
})

describe('a finding of the system check', () => {
  const [works, , , fails] = sampleFindings() as [Diagnostic, Diagnostic, Diagnostic, Diagnostic]

  it('is AURA’s own sentence in English', () => {
    setPreferences({ language: 'en' })
    expect(sayFinding(works)).toEqual(['USB microphone records.', ''])
    expect(subjectOf(works)).toBe('Microphone')
  })

  it('is a sentence of the window in another language, for every kind', () => {
    setPreferences({ language: 'de' })
    expect(sayFinding(works)).toEqual(['Nimmt auf: erster Ton nach 31 ms, Pegel 4\u00a0%.', ''])
    expect(sayFinding(fails)[0]).toMatch(/^Der Schlüsselbund des Systems/)
    const missing = { kind: 'model_missing', service: 'tts' } as const
    const voice: Diagnostic = { area: 'voice', ok: false, finding: missing, message: 'No voice is installed.' }
    expect([subjectOf(voice), ...sayFinding(voice)]).toEqual([
      'Sprachausgabe',
      'Auf diesem Rechner ist keines installiert.',
      'Lade unter „Anbieter“, „Auf diesem Rechner“ eines herunter.',
    ])
    const finding = { kind: 'settings_problem', problem: { kind: 'value', setting: 'hedge', cause: 'no' } } as const
    expect(sayFinding({ area: 'settings', ok: false, finding, message: 'A problem.', remedy: 'Do this.' })).toEqual([
      '„hedge“ in der Einstellungsdatei ist ungültig. Es gilt der Standardwert.',
      'Korrigiere den Wert in der Datei oder unter „Einstellungen“.',
    ])
    const noKey = { kind: 'provider_problem', problem: { kind: 'no_key' } } as const
    expect(sayFinding({ area: 'groq', ok: false, finding: noKey, message: 'A problem.' })[0]).toBe(
      'Der API-Schlüssel fehlt noch.',
    )
    const damaged = { kind: 'history_problem', problem: { kind: 'not_saved' } } as const
    expect(sayFinding({ area: 'history', ok: false, finding: damaged, message: 'A problem.' })[0]).toMatch(/^Die letzte Frage/)
    const overruled = { setting: 'a', variable: 'V', value: '1', remembered: '2', in_effect: true }
    const found = { kind: 'setting_overruled', overruled } as const
    expect(sayFinding({ area: 'settings', ok: true, finding: found, message: 'A problem.' })[0]).toMatch(/^V=1 /)
    const other: Diagnostic = { area: 'groq', ok: false, finding: { kind: 'other' }, message: 'A problem.', remedy: 'Do this.' }
    expect(sayFinding(other)).toEqual(['A problem.', 'Do this.'])
  })
})
