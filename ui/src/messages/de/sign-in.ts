/** Die Anmeldeseite im Browser. */
import type { signIn as english } from '../en/sign-in'

export const signIn: typeof english = {
  title: 'Bei AURA anmelden',
  text: 'AURA kann zuhören, deinen Bildschirm sehen und deine API-Schlüssel benutzen. Melde dich an, damit klar ist, dass du es bist.',
  field: 'Zugriffstoken',
  whereFile: 'Es steht in der Datei',
  whereFolder: 'in AURAs Datenordner.',
  wherePrinted: 'zeigt, wo der liegt.',
  open: 'Anmelden',
  opening: 'Anmeldung läuft …',
  rejected: 'Das Token ist ungültig: Jeder Start von AURA erzeugt ein neues. Kopiere noch einmal die ganze Zeile aus der Datei.',
  unreachable: 'AURA reagiert nicht. Starte AURA oder „aura serve“ und versuche es noch einmal.',
  unsupported: 'Dieser Browser kann nicht prüfen, ob AURA antwortet. Öffne AURA in einem aktuellen Chrome, Firefox oder Edge.',
  unexpected: (status: string) => `AURA antwortete mit Status ${status}. Einzelheiten stehen im Protokoll.`,
  lost: 'Verbindung unterbrochen, wird wiederhergestellt … Diese Seite ist vielleicht nicht aktuell.',
  back: 'Wieder verbunden.',
  leave: 'Von dieser Seite abmelden',
  leaveHint: 'Vergisst das Token in diesem Tab. Das Schließen des Tabs bewirkt dasselbe.',
}
