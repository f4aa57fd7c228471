// Package webhooks delivers events of the audit trail to the targets that operators have registered, signed as Standard Webhooks says
// (https://www.standardwebhooks.com).
//
// The server that holds a target's lease follows the trail and stores one message in the outbox for each event, together with how far it has
// come (relay.go). Any server sends the messages (deliver.go): at least once, with the same id at each attempt. Nothing of it is done on
// the way of a request, and nothing at all while there are no targets.
package webhooks
