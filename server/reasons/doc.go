// Package reasons has the stable codes that say why a request was refused: in the log, in audit events, and in the reason header of the
// simplejwt routes.
package reasons
