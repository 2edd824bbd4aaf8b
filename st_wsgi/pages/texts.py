"""
The texts of the pages, by language. The English text stands in the code and is the key of the other languages.

Messages of the APIs to users are translated in the same way, and so are mails and text messages. A text that a language
does not have is shown in English.
"""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from ..languages import ENGLISH, Language
from ..request.context import RequestContext

LANGUAGE_KEY = "st_wsgi.pages.language"
"""The key of the language of a page, in the environ of the calls that it makes. The language is a text there, so that
messages that are sent after the response still find it."""

GERMAN: Mapping[str, str] = {
    "Sign in": "Anmelden",
    "Sign in to {name}": "Bei {name} anmelden",
    "Create your account": "Konto erstellen",
    "Create account": "Konto erstellen",
    "New here?": "Neu hier?",
    "Create an account": "Konto erstellen",
    "Do you have an account already?": "Haben Sie schon ein Konto?",
    "or": "oder",
    "E-mail address": "E-Mail-Adresse",
    "Password": "Passwort",
    "{label} (optional)": "{label} (freiwillig)",
    "Error: {title}": "Fehler: {title}",
    "Forgot your password?": "Passwort vergessen?",
    "By continuing, you accept the {terms} and the {privacy}.": "Damit akzeptieren Sie die {terms} und die {privacy}.",
    "By continuing, you accept the {terms}.": "Damit akzeptieren Sie die {terms}.",
    "By continuing, you accept the {privacy}.": "Damit akzeptieren Sie die {privacy}.",
    "Terms of use": "Nutzungsbedingungen",
    "terms of use": "Nutzungsbedingungen",
    "Privacy policy": "Datenschutzerklärung",
    "privacy policy": "Datenschutzerklärung",
    "Sign in with a passkey": "Mit Passkey anmelden",
    "Create an account with a passkey": "Konto mit Passkey erstellen",
    "Create a passkey": "Passkey erstellen",
    "Create a new passkey": "Neuen Passkey erstellen",
    "Use a passkey": "Passkey verwenden",
    "I have lost my passkey": "Ich habe meinen Passkey verloren",
    "Your new passkey is ready": "Ihr neuer Passkey ist bereit",
    "Enter the e-mail address of your account. We send you a link to create a new passkey.": (
        "Geben Sie die E-Mail-Adresse Ihres Kontos ein. Wir senden Ihnen einen Link, mit dem Sie einen neuen Passkey "
        "erstellen."
    ),
    "This passkey is not known here.": "Dieser Passkey ist hier nicht bekannt.",
    "This passkey cannot be used here.": "Dieser Passkey kann hier nicht benutzt werden.",
    "Your browser could not use a passkey. Please try again, or choose another way to sign in.": (
        "Ihr Browser konnte keinen Passkey verwenden. Bitte versuchen Sie es noch einmal, oder melden Sie sich anders "
        "an."
    ),
    "Passkeys need JavaScript and a recent browser. Please allow it, or choose another way to sign in.": (
        "Passkeys brauchen JavaScript und einen neueren Browser. Bitte erlauben Sie es, oder melden Sie sich anders an."
    ),
    "Authenticator app": "Authenticator-App",
    "Choose a password": "Passwort wählen",
    "Use another address:": "Andere Adresse verwenden:",
    "Name": "Name",
    "Such as: my phone": "Zum Beispiel: mein Telefon",
    "You have an app of this name already. Please choose another name.": (
        "Sie haben schon eine App mit diesem Namen. Bitte wählen Sie einen anderen."
    ),
    "Code by e-mail": "Code per E-Mail",
    "Code by text message": "Code per SMS",
    "Confirm that it is you": "Bestätigen Sie, dass Sie es sind",
    "How would you like to do that?": "Wie möchten Sie das tun?",
    "Use another way": "Anders bestätigen",
    "Enter the code that your authenticator app shows.": "Geben Sie den Code ein, den Ihre Authenticator-App anzeigt.",
    "Set up an authenticator app": "Authenticator-App einrichten",
    "Set up an app": "App einrichten",
    "An authenticator app shows a new code every half minute. You enter it when you sign in.": (
        "Eine Authenticator-App zeigt jede halbe Minute einen neuen Code. Beim Anmelden geben Sie ihn ein."
    ),
    "Please install such an app on your phone first.": (
        "Bitte installieren Sie zuerst eine solche App auf Ihrem Telefon."
    ),
    "Scan this picture with your authenticator app. If you cannot, enter this key in the app:": (
        "Scannen Sie dieses Bild mit Ihrer Authenticator-App. Wenn das nicht geht, geben Sie diesen Schlüssel in der "
        "App ein:"
    ),
    "Enter this key in your authenticator app:": "Geben Sie diesen Schlüssel in Ihrer Authenticator-App ein:",
    "QR code for your authenticator app": "QR-Code für Ihre Authenticator-App",
    "Open the app on this device": "App auf diesem Gerät öffnen",
    "Then enter the code that the app shows.": "Geben Sie dann den Code ein, den die App anzeigt.",
    "This code is wrong. Please enter the one that your app shows now.": (
        "Dieser Code ist falsch. Bitte geben Sie den ein, den Ihre App jetzt anzeigt."
    ),
    "Send a code to {contact}": "Code an {contact} senden",
    "This code does not work any more. Please ask for a new one.": (
        "Dieser Code gilt nicht mehr. Bitte lassen Sie sich einen neuen senden."
    ),
    "You are signed in": "Sie sind angemeldet",
    "Continue": "Weiter",
    "Sign out": "Abmelden",
    "Do you want to sign out?": "Möchten Sie sich abmelden?",
    "You are signed out": "Sie sind abgemeldet",
    "Sign in again": "Wieder anmelden",
    "You will be signed out on this device.": "Sie werden auf diesem Gerät abgemeldet.",
    "There is no way to sign in here at the moment.": "Zurzeit gibt es hier keine Möglichkeit, sich anzumelden.",
    "The e-mail address and the password do not match.": "E-Mail-Adresse und Passwort passen nicht zusammen.",
    "This way to sign in is not available here.": "Diese Art der Anmeldung gibt es hier nicht.",
    "Please fill in this field.": "Bitte füllen Sie dieses Feld aus.",
    "Please correct the fields that are marked.": "Bitte korrigieren Sie die markierten Felder.",
    "Too many attempts. Please try again in a minute.": (
        "Zu viele Versuche. Bitte versuchen Sie es in einer Minute noch einmal."
    ),
    "Too many attempts. Please try again in {minutes} minutes.": (
        "Zu viele Versuche. Bitte versuchen Sie es in {minutes} Minuten noch einmal."
    ),
    "This did not work. Please try again.": "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
    "Something went wrong": "Etwas ist schiefgegangen",
    "Something went wrong on our side. Please try again in a moment.": (
        "Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es gleich noch einmal."
    ),
    "The request could not be understood.": "Die Anfrage war nicht verständlich.",
    "This form is out of date": "Dieses Formular ist nicht mehr gültig",
    "Nothing was changed. Please open the page again, and make sure that your browser accepts cookies.": (
        "Es wurde nichts geändert. Bitte öffnen Sie die Seite noch einmal, und erlauben Sie in Ihrem Browser Cookies."
    ),
    "Open the page again": "Seite noch einmal öffnen",
    "Access denied": "Zugriff verweigert",
    "Your account may not open this page.": "Ihr Konto darf diese Seite nicht öffnen.",
    "Your session could not be renewed": "Ihre Sitzung konnte nicht erneuert werden",
    "Please sign out and in again, and make sure that your browser accepts cookies.": (
        "Bitte melden Sie sich ab und wieder an, und erlauben Sie in Ihrem Browser Cookies."
    ),
    "One moment, please": "Einen Moment bitte",
    "Your form was not sent": "Ihr Formular wurde nicht gesendet",
    "You are not signed in any more. Please sign in in another tab.": (
        "Sie sind nicht mehr angemeldet. Bitte melden Sie sich in einem anderen Tab an."
    ),
    "Your account needs one more step. Please take it in another tab.": (
        "Ihr Konto braucht noch einen Schritt. Bitte erledigen Sie ihn in einem anderen Tab."
    ),
    "Then reload this page, and your browser sends the form again.": (
        "Laden Sie danach diese Seite neu, dann sendet Ihr Browser das Formular noch einmal."
    ),
    "Open in another tab": "In anderem Tab öffnen",
    "Your session is being renewed.": "Ihre Sitzung wird erneuert.",
    "To the sign-in page": "Zur Anmeldung",
    "Your new password is set": "Ihr neues Passwort ist gespeichert",
    "You can sign in with it now.": "Sie können sich jetzt damit anmelden.",
    "Check your mailbox": "Sehen Sie in Ihr Postfach",
    "If there is an account with this address, a mail with a link is on its way.": (
        "Wenn es zu dieser Adresse ein Konto gibt, ist eine Nachricht mit einem Link unterwegs."
    ),
    "Choose a new password": "Neues Passwort wählen",
    "Save the password": "Passwort speichern",
    "Enter the e-mail address of your account. We send you a link to choose a new password.": (
        "Geben Sie die E-Mail-Adresse Ihres Kontos ein. Wir senden Ihnen einen Link, mit dem Sie ein neues Passwort "
        "wählen."
    ),
    "Send the link": "Link senden",
    "Send a new link": "Neuen Link senden",
    "This link is not valid any more": "Dieser Link gilt nicht mehr",
    "The message was used already, or it is too old.": "Die Nachricht wurde schon benutzt, oder sie ist zu alt.",
    "Confirm your e-mail address": "E-Mail-Adresse bestätigen",
    "Please confirm that this address is yours.": "Bitte bestätigen Sie, dass diese Adresse Ihnen gehört.",
    "Confirm": "Bestätigen",
    "We have sent a mail to {email}. Please open the link in it.": (
        "Wir haben eine Nachricht an {email} gesendet. Bitte öffnen Sie den Link darin."
    ),
    "We send a mail to {email}. Please open the link in it.": (
        "Wir senden eine Nachricht an {email}. Bitte öffnen Sie den Link darin."
    ),
    "Send it again": "Noch einmal senden",
    "Send the mail": "Nachricht senden",
    "I have confirmed it": "Ich habe sie bestätigt",
    "Your e-mail address is confirmed": "Ihre E-Mail-Adresse ist bestätigt",
    "Phone number": "Telefonnummer",
    "With the country code, such as +49": "Mit der Vorwahl des Landes, zum Beispiel +49",
    "E-mail address or phone number": "E-Mail-Adresse oder Telefonnummer",
    "This code is wrong. Please look at the newest message.": (
        "Dieser Code ist falsch. Bitte sehen Sie in die neueste Nachricht."
    ),
    "This code is too old. Please ask for a new one.": (
        "Dieser Code ist zu alt. Bitte lassen Sie sich einen neuen senden."
    ),
    "Send me a link": "Link senden lassen",
    "Send me a code": "Code senden lassen",
    "Use another way to sign in": "Anders anmelden",
    "Send a new message": "Neue Nachricht senden",
    "A new message is on its way.": "Eine neue Nachricht ist unterwegs.",
    "We have sent a link to {contact}. Open it to sign in.": (
        "Wir haben einen Link an {contact} gesendet. Öffnen Sie ihn, um sich anzumelden."
    ),
    "Look at your messages": "Sehen Sie in Ihre Nachrichten",
    "We have sent a code to {contact}.": "Wir haben einen Code an {contact} gesendet.",
    "Code": "Code",
    "Enter your code": "Code eingeben",
    "Please sign in again": "Bitte melden Sie sich noch einmal an",
    "Continue with {provider}": "Weiter mit {provider}",
    "You are not signed in": "Sie sind nicht angemeldet",
    "This sign-in did not begin in this browser, or it took too long.": (
        "Diese Anmeldung hat nicht in diesem Browser begonnen, oder sie hat zu lange gedauert."
    ),
    "The provider did not tell us your e-mail address. Please choose another way.": (
        "Der Anbieter hat Ihre E-Mail-Adresse nicht genannt. Bitte wählen Sie eine andere Art der Anmeldung."
    ),
    "Your account": "Ihr Konto",
    "How you sign in": "So melden Sie sich an",
    "E-mail and password": "E-Mail und Passwort",
    "Code or link by message": "Code oder Link per Nachricht",
    "Passkey": "Passkey",
    "Change your password": "Passwort ändern",
    "Change your e-mail address": "E-Mail-Adresse ändern",
    "Current password": "Aktuelles Passwort",
    "New password": "Neues Passwort",
    "New e-mail address": "Neue E-Mail-Adresse",
    "Save": "Speichern",
    "This is not your current password.": "Das ist nicht Ihr aktuelles Passwort.",
    "This address cannot be used. Please enter another one.": (
        "Diese Adresse kann nicht verwendet werden. Bitte geben Sie eine andere ein."
    ),
    "Your new e-mail address is set.": "Ihre neue E-Mail-Adresse ist gespeichert.",
    "Authenticator apps": "Authenticator-Apps",
    "App {number}": "App {number}",
    "Add an authenticator app": "Authenticator-App hinzufügen",
    "The authenticator app is removed.": "Die Authenticator-App ist entfernt.",
    "Passkeys": "Passkeys",
    "Add a passkey": "Passkey hinzufügen",
    "The passkey is removed.": "Der Passkey ist entfernt.",
    "Remove": "Entfernen",
    "Remove this app": "Diese App entfernen",
    "Remove this passkey": "Diesen Passkey entfernen",
    "Further sessions": "Weitere Sitzungen",
    "Where you are signed in": "Hier sind Sie angemeldet",
    "This device": "Dieses Gerät",
    "Another device": "Ein anderes Gerät",
    "Sign out everywhere else": "Überall sonst abmelden",
    "That session has ended.": "Diese Sitzung ist beendet.",
    "The other sessions have ended.": "Die anderen Sitzungen sind beendet.",
    # Messages of the APIs.
    "Phone number is invalid": "Diese Telefonnummer ist ungültig.",
    "Signing in with this provider failed. Please try again, or choose another way to sign in.": (
        "Die Anmeldung bei diesem Anbieter hat nicht geklappt. Bitte versuchen Sie es noch einmal, oder wählen Sie "
        "eine andere Art der Anmeldung."
    ),
    "You have not signed in with the provider. Please try again, or choose another way to sign in.": (
        "Sie haben sich beim Anbieter nicht angemeldet. Bitte versuchen Sie es noch einmal, oder wählen Sie eine "
        "andere Art der Anmeldung."
    ),
    "Email is invalid": "Diese E-Mail-Adresse ist ungültig.",
    "There is an account with this address already. Please sign in.": (
        "Zu dieser Adresse gibt es schon ein Konto. Bitte melden Sie sich an."
    ),
    "At least {number} characters, with a letter and a digit.": (
        "Mindestens {number} Zeichen, darunter ein Buchstabe und eine Ziffer."
    ),
    "At least {number} characters.": "Mindestens {number} Zeichen.",
    "Password must contain at least 8 characters, including a number": (
        "Das Passwort braucht mindestens 8 Zeichen, darunter eine Ziffer."
    ),
    "Password must have at least {number} characters": "Das Passwort braucht mindestens {number} Zeichen.",
    "Password must have at most {number} characters": "Das Passwort darf höchstens {number} Zeichen haben.",
    "Password must not be longer than {number} bytes": "Das Passwort darf nicht länger als {number} Bytes sein.",
    "This password is too common. Please choose another one": (
        "Dieses Passwort ist zu häufig. Bitte wählen Sie ein anderes."
    ),
    "This password was found in a data breach. Please choose another one": (
        "Dieses Passwort stand in einem Datenleck. Bitte wählen Sie ein anderes."
    ),
    "Password must have fewer than 100 characters": "Das Passwort darf höchstens 99 Zeichen haben.",
    "Password must not contain control characters": "Das Passwort darf keine Steuerzeichen enthalten.",
    "Password must contain at least one letter": "Das Passwort braucht mindestens einen Buchstaben.",
    "Password must contain at least one number": "Das Passwort braucht mindestens eine Ziffer.",
    "This way to sign in cannot be added to your account. Please contact support.": (
        "Diese Art der Anmeldung kann Ihrem Konto nicht hinzugefügt werden. Bitte wenden Sie sich an den Support."
    ),
    "This way to sign in is not safe for your account now. Please use another one, or contact support.": (
        "Diese Art der Anmeldung ist für Ihr Konto zurzeit nicht sicher. Bitte wählen Sie eine andere, oder wenden Sie "
        "sich an den Support."
    ),
    "The message could not be sent. Please try again later.": (
        "Die Nachricht konnte nicht gesendet werden. Bitte versuchen Sie es später noch einmal."
    ),
    # Mails and text messages.
    "our website": "unsere Website",
    "a limited time": "eine begrenzte Zeit",
    "1 day": "einen Tag",
    "{number} days": "{number} Tage",
    "1 hour": "eine Stunde",
    "{number} hours": "{number} Stunden",
    "1 minute": "eine Minute",
    "{number} minutes": "{number} Minuten",
    "If the button does not work, open this address:": "Wenn der Knopf nicht geht, öffnen Sie diese Adresse:",
    "{app} sent this mail automatically.": "Diese Mail wurde automatisch gesendet: {app}",
    "If it was you, there is nothing to do.": "Wenn Sie das waren, ist nichts zu tun.",
    "This link works once, for {lifetime}.": "Dieser Link gilt einmal, {lifetime} lang.",
    "Your e-mail address for {app} was changed": "Ihre E-Mail-Adresse für {app} wurde geändert",
    "The account that had the address {to} has another one now. Mails for this account go to the new address.": (
        "Das Konto mit der Adresse {to} hat jetzt eine andere. Mails zu diesem Konto gehen an die neue Adresse."
    ),
    "If it was not you, please contact {app} at once.": (
        "Wenn Sie das nicht waren, wenden Sie sich bitte sofort an {app}."
    ),
    "Confirm your e-mail address for {app}": "E-Mail-Adresse für {app} bestätigen",
    "Please confirm that {to} is your e-mail address.": "Bitte bestätigen Sie, dass {to} Ihre E-Mail-Adresse ist.",
    "Confirm this address": "Adresse bestätigen",
    "If you have no account at {app}, ignore this mail. The address is not confirmed without this link.": (
        "Wenn Sie bei {app} kein Konto haben, tun Sie nichts. Ohne diesen Link wird die Adresse nicht bestätigt."
    ),
    "Your password for {app} was changed": "Ihr Passwort für {app} wurde geändert",
    "The password of the account {to} at {app} was changed.": (
        "Das Passwort des Kontos {to} bei {app} wurde geändert."
    ),
    "If it was not you, set a new password now, on the page where you sign in.": (
        "Wenn Sie das nicht waren, wählen Sie jetzt ein neues Passwort, auf der Seite, auf der Sie sich anmelden."
    ),
    "Set a new password for {app}": "Neues Passwort für {app}",
    "Somebody asked to set a new password for the account {to} at {app}.": (
        "Jemand möchte für das Konto {to} bei {app} ein neues Passwort wählen."
    ),
    "Set a new password": "Neues Passwort wählen",
    "If it was not you, ignore this mail. Your password stays as it is, and nobody can change it without this link.": (
        "Wenn Sie das nicht waren, tun Sie nichts. Ihr Passwort bleibt, wie es ist: Ohne diesen Link kann es niemand "
        "ändern."
    ),
    "Sign in to {app}": "Bei {app} anmelden",
    "You asked to sign in as {to}. Use this mail only on the device on which you asked for it.": (
        "Sie möchten sich als {to} anmelden. Benutzen Sie diese Mail nur auf dem Gerät, auf dem Sie sich anmelden."
    ),
    "It works once, for {lifetime}.": "Das gilt einmal, {lifetime} lang.",
    "If it was not you, ignore this mail. Tell nobody what is in it, not even the people of {app}.": (
        "Wenn Sie das nicht waren, tun Sie nichts. Sagen Sie niemandem, was in dieser Mail steht, auch nicht den "
        "Leuten von {app}."
    ),
    "Add a new passkey at {app}": "Neuer Passkey bei {app}",
    "A recovery of the account {to} at {app} was requested.": (
        "Jemand möchte wieder Zugang zu dem Konto {to} bei {app} bekommen."
    ),
    "Add a new passkey": "Neuen Passkey erstellen",
    "If it was not you, ignore this mail. Your account stays as it is. It cannot be opened without this link.": (
        "Wenn Sie das nicht waren, tun Sie nichts. Ihr Konto bleibt, wie es ist: Ohne diesen Link kann es niemand "
        "öffnen."
    ),
    "Code: {code}": "Code: {code}",
    "Link: {link}": "Link: {link}",
    "Valid once, for {lifetime}. Share it with nobody.": "Gilt einmal, {lifetime} lang. Für niemanden sonst.",
}


class Languages:
    """
    All languages of the pages: English, German, and those of the app.

    :param more: from a language to its texts. They take precedence over ours.
    """

    def __init__(self, more: Mapping[str, Mapping[str, str]]) -> None:
        texts: dict[str, Mapping[str, str]] = {ENGLISH.code: {}, "de": GERMAN}
        for code, own in more.items():
            texts[code] = {**texts.get(code, {}), **own}
        self._known = {code: Language(code, own) for code, own in texts.items()}

    def named(self, code: str | None) -> Language:
        """Return the language with a code; English if it is unknown."""
        return self._known.get(code or ENGLISH.code, self._known[ENGLISH.code])

    def accepted(self, context: RequestContext) -> Language:
        """Return the language that the browser prefers (``Accept-Language``)."""
        header = (context.header("accept-language") or "")[:500]
        return self.named(
            parse_accept_header(header, LanguageAccept).best_match(list(self._known), default=ENGLISH.code)
        )
