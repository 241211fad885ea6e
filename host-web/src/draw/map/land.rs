//! The coastlines.

/// The number of rings; of each ring the number of its points; of each point how much longitude and latitude
/// differ from the point before, in steps. `host-web/map/reduce.mjs` writes it.
const LAND: &[u8] = include_bytes!("../../../map/land.bin");
/// Steps of a coordinate per degree.
const STEPS: f64 = 20.0;

/// A longitude and a latitude, in degrees.
pub type Coordinates = (f64, f64);

/// The coastlines as rings, each with its points; the last point leads back to the first. Islands and
/// continents lie inside, lakes too, the other way round.
#[must_use]
pub fn rings() -> Vec<Vec<Coordinates>> {
    // The data are a part of the program: what could not be read is noticed by the tests.
    read(LAND).unwrap_or_default()
}

fn read(mut bytes: &[u8]) -> Option<Vec<Vec<Coordinates>>> {
    let mut rings = Vec::new();
    let mut at = (0_i32, 0_i32);
    for _ in 0..number(&mut bytes)? {
        let count = number(&mut bytes)?;
        let mut ring = Vec::new();
        for _ in 0..count {
            at.0 = at.0.checked_add(difference(&mut bytes)?)?;
            at.1 = at.1.checked_add(difference(&mut bytes)?)?;
            ring.push((f64::from(at.0) / STEPS, f64::from(at.1) / STEPS));
        }
        rings.push(ring);
    }
    bytes.is_empty().then_some(rings)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Of either sign: 0, -1, 1, -2, 2.
fn difference(bytes: &mut &[u8]) -> Option<i32> {
    let folded = number(bytes)?;
    let half = i32::try_from(folded >> 1).ok()?;
    Some(if folded & 1 == 0 { half } else { -1 - half })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a place is on land: a line from it to the east crosses the coast an odd number of times.
    fn is_land((longitude, latitude): Coordinates) -> bool {
        let rings = rings();
        let edges = rings
            .iter()
            .flat_map(|ring| ring.iter().zip(ring.iter().cycle().skip(1)));
        let crossed = edges.filter(|(a, b)| {
            let is_beside = (a.1 > latitude) != (b.1 > latitude);
            is_beside && longitude < a.0 + (b.0 - a.0) * (latitude - a.1) / (b.1 - a.1)
        });
        crossed.count() % 2 == 1
    }

    #[test]
    fn continents_are_where_they_are() {
        let cities = [
            (13.4, 52.5),
            (-99.1, 19.4),
            (116.4, 39.9),
            (36.8, -1.3),
            (133.9, -23.7),
            (-47.9, -15.8),
            (0.0, -85.0),
        ];
        for place in cities {
            assert!(is_land(place), "{place:?}");
        }
        for place in [
            (-30.0, 45.0),
            (-150.0, 0.0),
            (75.0, -15.0),
            (160.0, 30.0),
            (5.0, 38.5),
        ] {
            assert!(!is_land(place), "{place:?}");
        }
    }

    #[test]
    fn all_of_it_can_be_read_and_is_on_the_world() {
        let rings = rings();
        assert!(rings.len() > 100 && rings.iter().all(|ring| ring.len() > 2));
        let all = rings.iter().flatten();
        assert!(all.clone().count() > 3_000 && LAND.len() < 22_000);
        assert!(
            all.clone()
                .all(|(x, y)| x.abs() <= 180.0 && y.abs() <= 90.0)
        );
    }

    #[test]
    fn damaged_data_are_refused() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[1, 1, 4]), None);
        assert_eq!(read(&[1, 1, 4, 5, 0]), None);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(read(&[1, 1, 4, 5]), Some(vec![vec![(0.1, -0.15)]]));
    }
}
