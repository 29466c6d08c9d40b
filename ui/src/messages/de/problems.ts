/** Was mit einem Anbieter oder dem Verlauf nicht stimmt, und was hilft; Bemerkungen zu Modellen; warum ein Anbieter zuerst kommt. */
import type { HistoryProblems, ModelNotes, ProviderProblems, Why } from '../said'

export const providers: ProviderProblems = {
  invalid_address: (address) => `Die Adresse „${address}“ ist ungültig.`,
  no_key: 'Der API-Schlüssel fehlt noch.',
  key_of_other_address:
    'Der API-Schlüssel wurde für eine andere Adresse gespeichert und wird deshalb nicht gesendet. Speichere ihn noch einmal.',
  key_unprotected:
    'Die Adresse ist unverschlüsselt (http), deshalb wird der API-Schlüssel nicht gesendet. Verwende eine https-Adresse oder entferne den Schlüssel.',
  key_rejected: 'Der API-Schlüssel wurde abgelehnt. Speichere einen neuen.',
}

const inMemory = (why: string, then: string) => `${why} Neue Fragen bleiben nur im Arbeitsspeicher. ${then}`

export const history: HistoryProblems = {
  newer_version: inMemory(
    'Eine neuere AURA-Version hat den Verlauf geschrieben.',
    'Aktualisiere AURA oder setze AURA_DATA_DIR auf einen anderen Ordner.',
  ),
  disk_full: inMemory('Der Datenträger ist voll.', 'Schaffe Platz, dann speichert AURA sie.'),
  read_only: inMemory('Der Ordner des Verlaufs ist schreibgeschützt.', 'Hebe den Schutz auf, dann speichert AURA sie.'),
  busy: inMemory('Ein anderes Programm blockiert den Verlauf.', 'Beende es, dann speichert AURA sie.'),
  unreadable: inMemory('Der Verlauf lässt sich nicht öffnen.', 'Prüfe den Datenträger und die Rechte des Datenordners.'),
  damaged: inMemory(
    'Der Verlauf ist beschädigt und lässt sich hier nicht reparieren.',
    'Schaffe Platz und hebe den Schreibschutz des Datenordners auf.',
  ),
  not_saved:
    'Die letzte Frage oder Löschung steht noch nicht im Verlauf. Ist der Datenträger voll oder der Ordner schreibgeschützt?',
  repaired: (turns, backup, kept) =>
    `Der Verlauf war beschädigt. AURA hat ihn repariert: ${turns} Fragen sind da, davon aus einer Sicherung: ${backup}. Prüfe den Datenträger. Die beschädigte Datei ist ${kept}; lösche sie, wenn nichts fehlt.`,
  index_rebuilt:
    'Der Suchindex des Verlaufs war beschädigt. AURA hat ihn neu erstellt, keine Frage fehlt. Passiert es wieder, prüfe den Datenträger.',
}

export const notes: ModelNotes = {
  preview: 'Vorschau',
  accept_terms: (page) => `Nimm die Bedingungen einmal auf ${page} an.`,
  old_accounts: 'Neue Konten erhalten es vielleicht nicht mehr.',
  busy: 'Das gefragteste; kann überlastet sein.',
  moves: 'Wechselt von selbst zu neueren Modellen.',
  server_decides: 'Der Server verwendet das Modell, mit dem er gestartet wurde.',
  best_here: 'Das beste Modell oder Programm auf diesem Rechner.',
}

export const why: Why = {
  best: {
    speed: (provider, why, other, otherWhy) => `${provider} ist am schnellsten: ${why}; ${other}: ${otherWhy}.`,
    quality: (provider, why, other, otherWhy, model) =>
      `${provider} hat das beste Modell, ${model}: ${why}; ${other}: ${otherWhy}.`,
    cost: (provider, why, other, otherWhy) => `${provider} ist am günstigsten: ${why}; ${other}: ${otherWhy}.`,
    balanced: (provider, why, other, otherWhy) =>
      `${provider} liegt bei Tempo, Qualität und Kosten vorn: ${why}; ${other}: ${otherWhy}.`,
  },
  latency: (time, calls) => `meist ${time} bei ${calls} Aufrufen`,
  unmeasured: 'noch nicht gemessen',
  quality: (stars) => `Qualität ${stars} von 5`,
  price: (cost) => `etwa ${cost} je Anfrage`,
  noPrice: 'Preis unbekannt',
}
