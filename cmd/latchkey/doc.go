// Command latchkey is the server together with the commands that operators run beside it.
package main
