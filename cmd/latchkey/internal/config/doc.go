// Package config reads and checks the configuration: flags over environment variables over a YAML file over defaults.
//
// Every option is one row of a table, from which its flag, variable, key, help and documentation are made. Read reports
// all faults at once, each with the flag, the variable and the remedy, and never shows the value of a secret.
package config
