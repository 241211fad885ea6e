//! What the console says of alerts, incidents, rules and the mesh's settings.

phrases! {
    // The view
    alerts: "Alerts", "Alarme";
    incidents: "Incidents", "Vorfälle";
    incident: "incident", "Vorfall";
    all_alerts: "All alerts", "Alle Alarme";
    nothing_fires: "Nothing fires.", "Nichts schlägt an.";
    nothing_text: "An incident appears here as soon as a rule is broken for long enough.",
        "Ein Vorfall erscheint hier, sobald eine Regel lange genug verletzt ist.";
    over_too: "those that are over too", "auch die vorüber sind";
    open_incidents: "Open incidents", "Offene Vorfälle";
    open_alerts: "Open alerts", "Offene Alarme";
    newest_shown: "The newest {} are shown.", "Die neuesten {} sind zu sehen.";
    new_incident: "New incident: {}", "Neuer Vorfall: {}";
    incidents_open_one: "{} open incident", "{} offener Vorfall";
    incidents_open_many: "{} open incidents", "{} offene Vorfälle";
    alerts_one: "{} alert", "{} Alarm";
    alerts_many: "{} alerts", "{} Alarme";
    and_more: "and {} more", "und {} weitere";

    // Severities and states
    severity: "severity", "Schwere";
    low: "low", "gering";
    medium: "medium", "mittel";
    high: "high", "hoch";
    critical: "critical", "kritisch";
    pending: "pending", "im Anlauf";
    firing: "firing", "schlägt an";
    acknowledged: "acknowledged", "bestätigt";
    resolved: "over", "vorüber";
    state: "state", "Zustand";
    since: "since", "seit";
    value: "value", "Wert";
    measured: "{}, threshold {}", "{}, Schwelle {}";
    not_decided: "not decided yet", "noch nicht entschieden";
    began: "began {}", "begann {}";
    ended: "ended {}", "endete {}";
    lasted: "lasted {}", "dauerte {}";
    acknowledged_by: "acknowledged by {}", "bestätigt von {}";
    partly_by: "partly acknowledged by {}", "teilweise bestätigt von {}";
    resolved_by: "looked after by {}", "betreut von {}";
    with_note: "{}: {}", "{}: {}";
    silenced: "silenced for {}", "stumm für {}";

    // What is done about it
    acknowledge: "Acknowledge", "Bestätigen";
    resolve: "Resolve", "Erledigen";
    silence: "Silence 2 h", "2 h stumm";
    note: "Note", "Notiz";
    note_optional: "note, may be empty", "Notiz, kann leer sein";
    acknowledged_done: "Acknowledged.", "Bestätigt.";
    resolved_done: "Resolved. It fires again only after the value was fine once.",
        "Erledigt. Es schlägt erst wieder an, wenn der Wert einmal gut war.";
    silenced_done: "Nobody is notified of it for 2 h.", "Zwei Stunden lang wird niemand benachrichtigt.";
    nothing_to_silence: "none of its alerts is known here any more", "keiner seiner Alarme ist hier noch bekannt";
    no_node: "the node of this tab does not run", "der Knoten dieses Tabs läuft nicht";
    keys_incident: "acknowledge, resolve or silence the incident that has the focus",
        "den Vorfall mit dem Fokus bestätigen, erledigen oder stumm schalten";

    // Silences and channels
    silences: "Silences", "Stummschaltungen";
    no_silences: "Everything is notified of.", "Alles wird gemeldet.";
    silence_text: "{} for another {}, by {}", "{} noch {}, von {}";
    everything: "everything", "alles";
    end: "End", "Beenden";
    end_of: "End the silence of {}", "Stummschaltung von {} beenden";
    silence_ended: "The silence is over.", "Die Stummschaltung ist beendet.";
    channels: "Channels", "Kanäle";
    no_channels: "No relay has a channel, so nobody is notified outside of the console.",
        "Kein Relay hat einen Kanal, also wird außerhalb der Konsole niemand benachrichtigt.";
    channel_text: "{}, from severity {} on, by {}", "{}, ab Schwere {}, durch {}";

    // Notices of the browser
    tell_sound: "With a sound", "Mit einem Ton";
    tell_here: "Notify me in this browser", "In diesem Browser benachrichtigen";
    tell_on: "This browser notifies of each new incident of medium severity or more.",
        "Dieser Browser meldet jeden neuen Vorfall ab mittlerer Schwere.";
    tell_refused: "The browser does not allow it. Its settings for this page say why.",
        "Der Browser erlaubt es nicht. Seine Einstellungen für diese Seite sagen, warum.";
    tell_unknown: "This browser has no notifications for this page.",
        "Dieser Browser hat für diese Seite keine Benachrichtigungen.";

    // One incident
    back: "All incidents", "Alle Vorfälle";
    no_such: "No incident {} is known here. It may be forgotten already.",
        "Hier ist kein Vorfall {} bekannt. Vielleicht ist er schon vergessen.";
    causes: "Probable causes", "Wahrscheinliche Ursachen";
    no_causes: "No cause is known.", "Keine Ursache ist bekannt.";
    next_step: "Next step", "Nächster Schritt";
    course: "What happened", "Was geschah";
    escalation: "Who is told when: {}", "Wer wann benachrichtigt wird: {}";
    it_began: "It began.", "Es begann.";
    it_ended: "It ended.", "Es endete.";
    over_node_down: "Over, for the node is down: {}.", "Vorüber, denn der Knoten ist aus: {}.";
    told: "{} told {} (step {})", "{} benachrichtigte {} (Stufe {})";
    told_over: "{} told {} that it is over", "{} meldete {}, dass es vorüber ist";
    arrived: "{}: it arrived.", "{}: angekommen.";
    on_its_way: "{}: on its way.", "{}: unterwegs.";
    not_arrived: "{}: it did not arrive, {}.", "{}: nicht angekommen, {}.";
    no_reason: "no reason is known", "kein Grund bekannt";

    // Rules and settings
    rules: "Rules", "Regeln";
    rules_text: "What is watched in the whole mesh. A change is in force on all nodes as soon as they hear of it.",
        "Was im ganzen Netz beobachtet wird. Eine Änderung gilt auf allen Knoten, sobald sie davon hören.";
    rule_form: "METRIC above|below WARN CRITICAL [for 10s] [clear 10%] [samples 3] [impact 100%]; - stands for no threshold",
        "MESSWERT above|below WARNUNG KRITISCH [for 10s] [clear 10%] [samples 3] [impact 100%]; - steht für keine Schwelle";
    mesh: "The mesh", "Das Netz";
    mesh_text: "What all nodes follow.", "Was für alle Knoten gilt.";
    none_known: "None is known yet.", "Noch ist nichts bekannt.";
    as_shipped: "as shipped", "wie ausgeliefert";
    shipped: "shipped: {}", "ausgeliefert: {}";
    changed: "changed by {}, {}", "geändert von {}, {}";
    off: "off", "aus";
    edit: "Edit", "Bearbeiten";
    edit_of: "Edit {}", "{} bearbeiten";
    close: "Close", "Schließen";
    why: "Why", "Warum";
    save: "Save", "Sichern";
    try_it: "Try", "Probieren";
    switch_off: "Switch off", "Abschalten";
    reset: "Reset", "Zurücksetzen";
    saved: "Saved.", "Gesichert.";
    new_rule: "Name of a new rule", "Name einer neuen Regel";
    add: "Add", "Hinzufügen";
    fired_never: "It would not have fired since {}.", "Sie hätte seit {} nicht angeschlagen.";
    fired_one: "It would have fired {} time since {}.", "Sie hätte {}-mal angeschlagen seit {}.";
    fired_many: "It would have fired {} times since {}.", "Sie hätte {}-mal angeschlagen seit {}.";
    nothing_measured: "Nothing that it watches was measured yet.", "Was sie beobachtet, wurde noch nicht gemessen.";
    fired_at: "{}: {}, for {}", "{}: {}, {} lang";
    fires_still: "{}: {}, and still", "{}: {}, und noch immer";
    history: "History", "Verlauf";
    no_history: "It has never been anything else.", "Es war nie anders.";
    revert: "Revert to this", "Dazu zurück";
    revert_to: "Revert to version {}", "Zurück zu Version {}";
    version: "version {}, by {}, {}", "Version {}, von {}, {}";
    lost: "set at the same time and lost", "gleichzeitig gesetzt und unterlegen";
    reverted: "Reverted.", "Zurückgesetzt.";
}
