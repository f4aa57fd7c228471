package token

import (
	"cmp"

	"latchkey/storage"
)

// This file distinguishes a thief who rides along with the owner from the owner's second tab: docs/rotation.md, "What contains a thief". A
// thief must present the retired token after nearly every retirement, since he does not know when the next one comes; a second tab does it
// now and then. Nothing is counted within one network.

const (
	// maxJoins is the number of retirements in a row that are joined from another network at which that is reuse.
	maxJoins = 3
	// joinGap is how many generations may lie between two joins that are in a row. A thief who presents the token that he was given
	// before the owner does confirms it himself, so that he joins every second retirement only.
	joinGap = 2
)

// fromElsewhere reports whether a network is another one than that of the last confirmation. What is not known is no other one.
func fromElsewhere(s storage.Sharing, network int64) bool {
	return network != 0 && s.Network != 0 && s.Network != network
}

// presented returns what is known after a presentation of the current token that leaves it current.
func presented(s storage.Sharing, network int64) storage.Sharing {
	s.Elsewhere = s.Elsewhere || fromElsewhere(s, network)
	return s
}

// joined returns what is known after a presentation of the predecessor. Each retirement counts once.
func joined(s storage.Sharing, network, generation int64) storage.Sharing {
	switch {
	case !fromElsewhere(s, network) || s.Joins > 0 && s.JoinedGeneration == generation:
		return s
	case s.Joins > 0 && generation-s.JoinedGeneration <= joinGap:
		s.Joins++
	default:
		s.Joins = 1
	}
	s.JoinedGeneration = generation
	return s
}

// confirmed returns what is known after the token of a generation was replaced. A confirmation from the same network as the one before,
// with nothing from another network in between, ends the row of joins.
func confirmed(s storage.Sharing, network, generation int64) storage.Sharing {
	next := storage.Sharing{Network: cmp.Or(network, s.Network)}
	clean := !s.Elsewhere && !fromElsewhere(s, network) && s.JoinedGeneration != generation
	if s.Joins > 0 && !clean && generation+1-s.JoinedGeneration <= joinGap {
		next.Joins, next.JoinedGeneration = s.Joins, s.JoinedGeneration
	}
	return next
}
