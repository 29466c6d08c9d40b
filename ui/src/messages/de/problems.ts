/** Was mit einem Anbieter oder dem Verlauf nicht stimmt, und was hilft. */
import type { HistoryProblems, ProviderProblems } from '../said'

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
