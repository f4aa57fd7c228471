// Package mail writes letters in the languages of the pages and sends them by SMTP, from the outbox, as text and HTML.
//
// A letter is queued as a sealed row: the database holds neither addresses nor links that prove possession. It is sent at least once; its
// Message-ID is that of the row, so that mailboxes recognise a second copy.
//
// What users choose themselves never becomes a header, and is not in letters to addresses that are not confirmed: this server can't be
// made to write somebody else's words to people who know neither.
package mail
