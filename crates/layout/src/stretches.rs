//! Stretches of time in a lane, and moments, as what is drawn of them: as many rectangles and bars as
//! there are px at the most, however many stretches there are.

use crate::viewport::TimeView;

/// The narrowest that a stretch is drawn, px.
const LEAST: f64 = 2.0;

/// A rectangle of a lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Painted {
    /// Left and right edge, px.
    pub x0: f64,
    /// See `x0`.
    pub x1: f64,
    /// The first stretch in it.
    pub first: usize,
    /// How many stretches stand in it, where there is no room for each.
    pub count: usize,
    /// Bits that any of them has.
    pub flags: u8,
}

/// What is drawn of stretches (start, end, bits) in the order of their start. Those that are too narrow to be
/// told apart are drawn as one; what reaches beyond the view is cut to it.
#[must_use]
pub fn painted(stretches: impl Iterator<Item = (i64, i64, u8)>, view: &TimeView) -> Vec<Painted> {
    let mut all: Vec<Painted> = Vec::new();
    for (place, (start, end, flags)) in stretches.enumerate() {
        let end = end.max(start);
        if !view.meets(start, end) {
            continue;
        }
        let x0 = view.x_of(start).max(0.0);
        let x1 = view.x_of(end).min(view.width());
        let narrow = x1 - x0 <= LEAST;
        let x1 = x1.max(x0 + LEAST);
        match all.last_mut() {
            // Neither it nor what stands before is wide enough to be seen alone.
            Some(last) if narrow && x0 - last.x0 < LEAST && last.x1 - last.x0 <= 2.0 * LEAST => {
                last.x1 = last.x1.max(x1);
                last.count += 1;
                last.flags |= flags;
            }
            _ => all.push(Painted {
                x0,
                x1,
                first: place,
                count: 1,
                flags,
            }),
        }
    }
    all
}

/// How many moments (time, class) of each class stand in each of the `bars` equal parts of the view's width.
#[must_use]
pub fn density<const CLASSES: usize>(
    moments: impl Iterator<Item = (i64, usize)>,
    view: &TimeView,
    bars: usize,
) -> Vec<[u32; CLASSES]> {
    let mut counts = vec![[0; CLASSES]; bars];
    let width = view.width() / bars.max(1) as f64;
    for (time, class) in moments {
        if time < view.start() || time >= view.end() {
            continue;
        }
        let bar = (view.x_of(time) / width) as usize;
        if let Some(count) = counts.get_mut(bar).and_then(|bar| bar.get_mut(class)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_stretch_in_view_is_in_one_rectangle(mut stretches in prop::collection::vec((0..2_000_i64, 0..300_i64, any::<u8>()), 0..60)) {
            stretches.sort_unstable();
            let mut view = TimeView::new(0, 2_000, 400.0);
            view.set_window(500, 1_500);
            let all = painted(stretches.iter().map(|(start, length, bits)| (*start, start + length, *bits)), &view);
            let seen = stretches.iter().filter(|(start, length, _)| view.meets(*start, start + length));
            prop_assert_eq!(all.iter().map(|one| one.count).sum::<usize>(), seen.clone().count());
            prop_assert_eq!(all.iter().fold(0, |bits, one| bits | one.flags), seen.fold(0, |bits, (.., more)| bits | more));
            for one in &all {
                prop_assert!(one.x0 >= 0.0 && one.x1 - one.x0 > LEAST - 1e-6);
            }
        }
    }

    #[test]
    fn a_million_moments_are_as_many_rectangles_as_there_is_room_for() {
        let view = TimeView::new(0, 1_000_000, 500.0);
        let all = painted((0..1_000_000).map(|at| (at, at, 0)), &view);
        assert!(all.len() <= 500, "{}", all.len());
        assert_eq!(all.iter().map(|one| one.count).sum::<usize>(), 1_000_000);
    }

    #[test]
    fn long_stretches_keep_apart_and_what_is_in_progress_reaches_to_the_edge() {
        let view = TimeView::new(0, 100, 105.0);
        let all = painted([(0, 10, 1), (20, 30, 2), (50, i64::MAX, 4)].into_iter(), &view);
        let edges: Vec<_> = all
            .iter()
            .map(|one| (one.x0, one.x1, one.count, one.flags))
            .collect();
        assert_eq!(
            edges,
            [(0.0, 10.0, 1, 1), (20.0, 30.0, 1, 2), (50.0, 105.0, 1, 4)]
        );
    }

    #[test]
    fn moments_are_counted_where_they_stand() {
        let view = TimeView::new(0, 100, 105.0);
        let counts = density::<2>([(0, 0), (1, 1), (50, 1), (500, 0)].into_iter(), &view, 21);
        assert_eq!(counts[0], [1, 1]);
        assert_eq!((counts[10], counts.len()), ([0, 1], 21));
        assert_eq!(counts.iter().flatten().sum::<u32>(), 3);
    }
}
