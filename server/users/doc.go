// Package users is the registry of the people who can log in.
package users
