//! What the console says of series and their charts.

phrases! {
    // Series by their names
    cpu: "CPU", "CPU";
    memory: "Memory", "Speicher";
    disk: "Disk", "Platte";
    received: "Received", "Empfangen";
    sent: "Sent", "Gesendet";
    descriptors: "File descriptors", "Dateideskriptoren";
    loop_lag: "Loop lag", "Verzug der Schleife";
    journal_latency: "Journal latency", "Journal-Latenz";
    send_queue: "Send queue", "Sendewarteschlange";
    latency: "Latency", "Latenz";
    latency_p50: "Latency, p50", "Latenz, p50";
    latency_p99: "Latency, p99", "Latenz, p99";
    mean: "mean", "Mittel";
    p50: "p50", "p50";
    p99: "p99", "p99";
    loss: "Loss", "Verlust";
    links: "Links", "Verbindungen";
    alive: "Members alive", "Lebende Mitglieder";
    dead: "Members dead", "Tote Mitglieder";
    messages_in: "Messages in", "Nachrichten herein";
    messages_out: "Messages out", "Nachrichten hinaus";
    writes: "Writes", "Schreibvorgänge";
    error_rate: "Error rate", "Fehlerrate";
    shard_variance: "Shard variance", "Shard-Streuung";
    health: "Health, 0 to 1", "Gesundheit, 0 bis 1";
    lowest_health: "Lowest health", "Geringste Gesundheit";
    spread: "Geographic spread in km", "Geografische Streuung in km";
    messages: "Messages", "Nachrichten";

    // The controls
    node: "Node", "Knoten";
    range: "Range", "Zeitraum";
    last_10m: "10 min", "10 min";
    last_1h: "1 h", "1 h";
    last_2h: "2 h", "2 h";
    last_6h: "6 h", "6 h";
    last_24h: "24 h", "24 h";
    last_2d: "2 d", "2 T";
    live: "Live", "Live";
    back_to_live: "Back to live", "Zurück zu live";
    zoom_in: "Zoom in", "Vergrößern";
    zoom_out: "Zoom out", "Verkleinern";
    csv: "CSV", "CSV";
    csv_hint: "Download what is shown as comma-separated values",
        "Was zu sehen ist, als kommagetrennte Werte sichern";
    forecast: "Forecast", "Vorhersage";
    shown_window: "{} to {}", "{} bis {}";
    how_to: "Point at a chart to read all of them at that moment; drag across to zoom, double-click to come back.",
        "Zeige auf ein Diagramm, um alle in diesem Moment abzulesen; ziehe darüber, um zu vergrößern, ein Doppelklick führt zurück.";

    // A chart
    charts_of: "Series of {}", "Messreihen: {}";
    said_between: "{}: latest {}, between {} and {}", "{}: zuletzt {}, zwischen {} und {}";
    said_nothing: "{}: not measured", "{}: nicht gemessen";
    as_table: "Table", "Tabelle";
    table_of: "{} as a table", "{} als Tabelle";
    series: "Series", "Messreihe";
    findings: "What was unusual: {}", "Was ungewöhnlich war: {}";
    borne_out: "an alert followed", "ein Alarm folgte";
    not_borne_out: "no alert followed", "kein Alarm folgte";

    // What changed
    changed: "What changed in this window", "Was sich in diesem Zeitraum änderte";
    changed_text: "Compared with as long a time before it, in units of the usual spread.",
        "Verglichen mit ebenso langer Zeit davor, in Einheiten der üblichen Streuung.";
    comparing: "Comparing…", "Wird verglichen…";
    nothing_changed: "Nothing moved farther than it usually does.", "Nichts bewegte sich weiter als üblich.";
    not_comparable: "Too little was measured before this window to compare with.",
        "Vor diesem Zeitraum wurde zu wenig gemessen, um zu vergleichen.";
    times: "{} times its mean before", "{} mal der Mittelwert davor";
    was_before: "{}, was {} before", "{}, war {} davor";

    // A rule that is tried out
    resources: "Resources in use", "Auslastung";
    tried_lines: "Lines across: the thresholds that are tried.", "Querlinien: die probierten Schwellen.";
    tried_shaded: "Shaded: when the rule would have fired.", "Hinterlegt: wann die Regel angeschlagen hätte.";
    tried_own: "It would have fired nowhere; the chart shows what this tab measured.",
        "Sie hätte nirgends angeschlagen; zu sehen ist, was dieser Tab maß.";
    tried_left_out: "The worst are drawn; {} more only stand in the list.",
        "Gezeichnet sind die schlimmsten; {} weitere stehen nur in der Liste.";

    // Elsewhere
    of_a_minute: "Half of the round trips of the last minute stay below p50, 99 of 100 below p99.",
        "Die Hälfte der Umläufe der letzten Minute bleibt unter p50, 99 von 100 unter p99.";
    vitals_hour: "Vitals over the last hour", "Lebenszeichen der letzten Stunde";
    all_series: "All series", "Alle Messreihen";
    keys_cursor: "move the cursor of the charts", "den Zeiger der Diagramme bewegen";
    keys_zoom: "zoom the charts; back to live", "Diagramme vergrößern, verkleinern; zurück zu live";
}
