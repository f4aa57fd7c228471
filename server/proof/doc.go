// Package proof lets people help themselves by letters: those who forgot their password, those who confirm or change their address, and
// those who sign up. A letter brings a link or a code, which proves that they read the mailbox.
//
//   - A request for a letter is answered before it is known whether there is such an account: it is one row of the outbox in any case,
//     and its accounts are looked up by the worker that makes the letter. So neither the answer nor its time says anything
//     (OWASP Forgot Password Cheat Sheet, "Forgot Password Request"; ASVS 5.0 6.3.8).
//   - A link has 256 random bits, is stored as a MAC, is used once, and lives [LinkTTL] (NIST SP 800-63B-4 §4.2; ASVS 5.0 6.4.1, 6.6.3).
//     A code has eight digits and is refused after a few guesses.
//   - Links are made of the issuer, whatever the Host header says.
//   - Nothing changes by opening a link: mail scanners do that. A button does.
//   - No link signs a user in who has an account. After a new password the login page follows, with all that it demands: that
//     is what keeps links from being a way round a second factor (ASVS 5.0 6.4.3).
package proof
