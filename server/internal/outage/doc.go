// Package outage remembers when this server could not write to the database.
package outage
