// Package django translates the SIMPLE_JWT setting of a Django site into a configuration of Latchkey, with a verdict on each key.
package django
