// Package selfhelp has the pages for people who are not signed in and help themselves by a letter: a forgotten password, an address to be
// confirmed, a sign-up. What letters prove is server/proof; these pages only ask and answer.
package selfhelp
