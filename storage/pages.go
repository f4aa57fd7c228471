package storage

import "iter"

// PageSize is how many elements Pages reads at a time.
const PageSize = 500

// Pages returns the elements of a list that is read page by page: read returns up to PageSize elements after a key, which is the zero
// value at first.
func Pages[T, K any](key func(T) K, read func(after K) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var after K
		for {
			page, err := read(after)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, element := range page {
				if !yield(element, nil) {
					return
				}
				after = key(element)
			}
			if len(page) < PageSize {
				return
			}
		}
	}
}
