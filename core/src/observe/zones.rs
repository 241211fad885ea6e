//! A place of each time zone, for nodes that were told no place.

/// A line with a region, then its zones: name, latitude and longitude in tenths of a degree. The script
/// `host-web/map/reduce.mjs` makes it from the tz database, which is in the public domain.
const ZONES: &str = include_str!("zones.txt");

/// The latitude and the longitude, in tenths of a degree, of the city that a time zone of the tz database is
/// named after. Older names such as `Asia/Calcutta` are known too. A zone without a place, such as `UTC`,
/// has none.
///
/// ```
/// use sporenet_core::observe::zones::place_of;
///
/// assert_eq!(place_of("Europe/Berlin"), Some((525, 134)));
/// assert_eq!(place_of("UTC"), None);
/// ```
#[must_use]
pub fn place_of(zone: &str) -> Option<(i16, i16)> {
    let (region, city) = zone.split_once('/')?;
    let mut lines = ZONES.lines().skip_while(|line| *line != region).skip(1);
    let found = lines
        .by_ref()
        .take_while(|line| line.contains(' '))
        .find_map(|line| {
            let (name, place) = line.split_once(' ')?;
            (name == city).then_some(place)
        })?;
    let (latitude, longitude) = found.split_once(' ')?;
    Some((latitude.parse().ok()?, longitude.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_place_of_their_city() {
        assert_eq!(
            place_of("America/Argentina/Buenos_Aires"),
            Some((-346, -585))
        );
        assert_eq!(place_of("Australia/Sydney"), Some((-339, 1_512)));
    }

    #[test]
    fn older_names_lead_to_the_same_place() {
        assert_eq!(place_of("Asia/Calcutta"), place_of("Asia/Kolkata"));
        assert_eq!(place_of("Europe/Kiev"), place_of("Europe/Kyiv"));
        assert!(place_of("US/Eastern").is_some());
    }

    #[test]
    fn what_is_no_city_has_no_place() {
        for zone in [
            "",
            "Etc/GMT+3",
            "Europe",
            "Europe/",
            "/Berlin",
            "Europe/Berlin 525",
            "Mars/Base",
            "Berlin",
        ] {
            assert_eq!(place_of(zone), None, "{zone}");
        }
    }

    #[test]
    fn every_line_can_be_read() {
        let mut region = "";
        let mut zones = 0;
        for line in ZONES.lines() {
            let Some((city, _)) = line.split_once(' ') else {
                region = line;
                continue;
            };
            let (latitude, longitude) = place_of(&std::format!("{region}/{city}")).unwrap();
            assert!(latitude.abs() <= 900 && longitude.abs() <= 1_800, "{line}");
            zones += 1;
        }
        assert!(zones > 400);
    }
}
