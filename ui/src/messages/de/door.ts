/** Die Seite im Browser, hinter dem HTTP-Zugang. */
import type { door as english } from '../en/door'

export const door: typeof english = {
  title: 'Bei AURA anmelden',
  text: 'AURA kann hören, deinen Bildschirm sehen und deine Schlüssel benutzen. Darum will diese Seite wissen, dass du es bist.',
  field: 'Zugangswort (Token)',
  whereFile: 'Es steht in der Datei',
  whereFolder: 'in AURAs Datenordner.',
  wherePrinted: 'sagt, wo der ist.',
  open: 'Anmelden',
  opening: 'Meldet an',
  refused:
    'AURA nimmt dieses Zugangswort nicht an. Kopiere die ganze Zeile der Datei. Wird die Datei gelöscht, entsteht ein neues, sobald AURA wieder startet.',
  silent: 'AURA antwortet nicht. Läuft es? Starte AURA oder „aura serve“ und versuche es dann noch einmal.',
  strange: (status: string) => `Der HTTP-Zugang antwortete mit Status ${status} und sonst nichts. Mehr steht in AURAs Protokoll.`,
  lost: 'Die Verbindung zu AURA ist verloren. Sie wird von selbst wieder versucht; was du siehst, ist vielleicht alt.',
  back: 'Wieder verbunden.',
  leave: 'Von dieser Seite abmelden',
  leaveHint: 'Vergisst das Zugangswort in diesem Tab. Sonst wird es vergessen, wenn der Tab geschlossen wird.',
}
