package shadow

// State returns the counts as they are.
func (p *Proxy) State() *State {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	return merge([]*State{&p.ledger.st})
}
