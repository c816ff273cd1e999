//! How a recording follows the playhead. Pure.

/// Speeds that browsers play at.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.0625..=16.0;
/// Seconds that a recording at rest may be away from the playhead.
const STILL: f64 = 0.02;
/// Seconds that one that plays may be, at a speed of 1: to seek is heard.
const DRIFT: f64 = 0.2;

/// The playhead as a recording sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Seconds since the recording began; `None` where no instant is looked at.
    pub at: Option<f64>,
    /// It moves.
    pub playing: bool,
    /// How fast.
    pub speed: f64,
}

/// What a recording is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Todo {
    /// Go to this second.
    pub seek: Option<f64>,
    /// Play, or rest.
    pub play: bool,
}

/// Whether a recording is heard at a speed: at others it is only dragged along.
pub(super) fn is_heard(speed: f64) -> bool {
    SPEEDS.contains(&speed)
}

/// What a recording at second `current` of `length` is to do.
pub(super) fn follow(head: Head, current: f64, length: Option<f64>) -> Todo {
    let rest = Todo {
        seek: None,
        play: false,
    };
    let Some(at) = head.at else { return rest };
    let inside = at >= 0.0 && length.is_none_or(|length| at < length);
    let play = inside && head.playing && is_heard(head.speed);
    let target = at.max(0.0).min(length.unwrap_or(f64::MAX));
    let away = (current - target).abs();
    let may = if play { DRIFT * head.speed.max(1.0) } else { STILL };
    Todo {
        seek: (away > may).then_some(target),
        play,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at: f64, playing: bool, speed: f64) -> Head {
        Head {
            at: Some(at),
            playing,
            speed,
        }
    }

    #[test]
    fn it_plays_within_its_time_and_rests_at_its_ends() {
        let todo = |seek, play| Todo { seek, play };
        let ten = Some(10.0);
        assert_eq!(follow(at(3.0, true, 1.0), 3.1, ten), todo(None, true));
        assert_eq!(follow(at(3.0, true, 1.0), 5.0, ten), todo(Some(3.0), true));
        assert_eq!(follow(at(-2.0, true, 1.0), 4.0, ten), todo(Some(0.0), false));
        assert_eq!(follow(at(12.0, true, 1.0), 10.0, ten), todo(None, false));
        assert_eq!(follow(at(12.0, true, 1.0), 4.0, None), todo(Some(12.0), true));
        let nowhere = Head {
            at: None,
            playing: false,
            speed: 1.0,
        };
        assert_eq!(follow(nowhere, 4.0, ten), todo(None, false));
    }

    #[test]
    fn it_is_dragged_along_where_it_cannot_play() {
        assert_eq!(follow(at(3.0, false, 1.0), 2.9, Some(10.0)).seek, Some(3.0));
        let fast = follow(at(3.0, true, 60.0), 2.9, Some(10.0));
        assert_eq!((fast.seek, fast.play), (Some(3.0), false));
        // At 8x, what it is away grows with the speed before it is corrected.
        assert_eq!(follow(at(3.0, true, 8.0), 2.0, Some(10.0)).seek, None);
    }
}
