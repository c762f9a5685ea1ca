-- What a person wants to be told of: a price, a change of the day, a volume of the day.
--
-- Invariants kept here:
--   * An alert lives with its user's account: on the user's shard, and moved with the slot. Each step
--     of its life is an event of the user's log, so a device that was away reads it there.
--   * It is told once; one that repeats once a trade date. Whoever asks again names the version he
--     saw, and an older one does nothing, so two watchers and a watcher killed tell nothing twice.
--   * One that waits stands once: set again as it is, it is the same one.
CREATE TABLE ledger.price_alert (
  user_id     bigint NOT NULL,
  alert_id    bigint NOT NULL,
  symbol      text NOT NULL,
  -- threshold: ten-thousandths of a rupee; of a change, of the previous close in ten-thousandths;
  -- of a volume, shares.
  kind        text NOT NULL CHECK (kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'CHANGE_ABOVE',
                'CHANGE_BELOW', 'VOLUME_ABOVE')),
  threshold   bigint NOT NULL,
  repeats     boolean NOT NULL,
  note        text NOT NULL CHECK (length(note) <= 100),
  state       text NOT NULL CHECK (state IN ('WAITING', 'FIRED')),
  version     integer NOT NULL CHECK (version > 0),
  created_at  timestamptz NOT NULL,
  fired_on    date,
  fired_at    timestamptz,
  fired_price bigint,
  mail_due    boolean NOT NULL DEFAULT false,
  PRIMARY KEY (user_id, alert_id),
  CHECK (CASE state WHEN 'FIRED' THEN NOT repeats AND fired_on IS NOT NULL ELSE true END)
);
CREATE UNIQUE INDEX price_alert_once ON ledger.price_alert (user_id, symbol, kind, threshold)
  WHERE state = 'WAITING';
CREATE INDEX price_alert_mail ON ledger.price_alert (fired_at) WHERE mail_due;

-- Times in microseconds since 1970.
CREATE FUNCTION ledger.price_alert_facts(x ledger.price_alert) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('alert_id', x.alert_id, 'symbol', x.symbol, 'kind', x.kind,
    'threshold', x.threshold, 'repeats', x.repeats, 'note', x.note, 'state', x.state,
    'version', x.version, 'created_at', ledger.micros(x.created_at), 'fired_on', x.fired_on,
    'fired_at', CASE WHEN x.fired_at IS NOT NULL THEN ledger.micros(x.fired_at) END,
    'fired_price', x.fired_price)
$$;

CREATE FUNCTION ledger.log_price_alert(a ledger.account, p_kind text, x ledger.price_alert,
    p_more text, p_now timestamptz)
RETURNS void LANGUAGE sql AS $$
  SELECT ledger.append_event(a, p_kind, x.alert_id, 0, 0, 0, p_now,
    '"price_alert":' || ledger.price_alert_facts(x)::text || p_more, x.symbol, NULL)
$$;

-- The alert that waits now: a new one, or (outcome KNOWN) the one that did already. TOO_MANY: p_most
-- are kept, and what is told is nothing. OC404 without an account.
CREATE FUNCTION ledger.set_price_alert(p_user bigint, p_symbol text, p_kind text,
    p_threshold bigint, p_repeats boolean, p_note text, p_most integer, p_today date,
    p_now timestamptz, OUT outcome text, OUT facts text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; x ledger.price_alert;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO x FROM ledger.price_alert p WHERE p.user_id = p_user AND p.symbol = p_symbol
    AND p.kind = p_kind AND p.threshold = p_threshold AND p.state = 'WAITING';
  IF FOUND AND (x.repeats, x.note) = (p_repeats, p_note) THEN
    outcome := 'KNOWN';
  ELSIF FOUND THEN
    UPDATE ledger.price_alert p SET repeats = p_repeats, note = p_note, version = p.version + 1
      WHERE p.user_id = p_user AND p.alert_id = x.alert_id RETURNING * INTO x;
    PERFORM ledger.log_price_alert(a, 'ALERT_SET', x, '', p_now);
    outcome := 'CHANGED';
  ELSIF (SELECT count(*) FROM ledger.price_alert p WHERE p.user_id = p_user) >= p_most THEN
    outcome := 'TOO_MANY';
    RETURN;
  ELSE
    INSERT INTO ledger.price_alert VALUES (p_user, ledger.new_order_id(p_user), p_symbol, p_kind,
      p_threshold, p_repeats, p_note, 'WAITING', 1, p_now) RETURNING * INTO x;
    PERFORM ledger.log_price_alert(a, 'ALERT_SET', x, '', p_now);
    outcome := 'SET';
  END IF;
  facts := ledger.price_alert_facts(x)::text;
END $$;

-- Whether there was such an alert; it waits no more and is not listed any more.
CREATE FUNCTION ledger.drop_price_alert(p_user bigint, p_alert bigint, p_today date,
    p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; x ledger.price_alert;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  DELETE FROM ledger.price_alert p WHERE p.user_id = p_user AND p.alert_id = p_alert
    RETURNING * INTO x;
  IF NOT FOUND THEN RETURN false; END IF;
  x.version := x.version + 1;
  PERFORM ledger.log_price_alert(a, 'ALERT_DROPPED', x, '', p_now);
  RETURN true;
END $$;

-- Tells the user, if the alert is still of that version and has not been told on that day. p_price:
-- the last trade's; p_value: what reached the threshold, in the kind's own unit.
CREATE FUNCTION ledger.fire_price_alert(p_user bigint, p_alert bigint, p_version integer,
    p_price bigint, p_value bigint, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; x ledger.price_alert;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  UPDATE ledger.price_alert p SET version = p.version + 1, fired_on = p_today, fired_at = p_now,
      fired_price = p_price, mail_due = true,
      state = CASE WHEN p.repeats THEN 'WAITING' ELSE 'FIRED' END
    WHERE p.user_id = p_user AND p.alert_id = p_alert AND p.version = p_version
      AND p.state = 'WAITING' AND p.fired_on IS DISTINCT FROM p_today
      AND CASE p.kind WHEN 'PRICE_BELOW' THEN p_value <= p.threshold
        WHEN 'CHANGE_BELOW' THEN p_value <= p.threshold ELSE p_value >= p.threshold END
    RETURNING * INTO x;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM ledger.log_price_alert(a, 'ALERT_FIRED', x, ',"reached":' || json_build_object(
    'alert_id', x.alert_id, 'symbol', x.symbol, 'kind', x.kind,
    'threshold', x.threshold, 'note', x.note, 'price', p_price)::text, p_now);
  RETURN true;
END $$;

-- A page of those that were told and not mailed yet, the oldest first.
CREATE FUNCTION ledger.price_alerts_to_mail(p_most integer)
RETURNS TABLE (user_id bigint, version integer, facts text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT x.user_id, x.version, ledger.price_alert_facts(x)::text FROM ledger.price_alert x
  WHERE x.mail_due AND EXISTS (SELECT FROM ledger.slot s
    WHERE s.slot = (x.user_id & 63)::smallint AND s.state = 'HERE')
  ORDER BY x.fired_at LIMIT p_most
$$;

-- One that was told again meanwhile is mailed again.
CREATE FUNCTION ledger.price_alert_mailed(p_user bigint, p_alert bigint, p_version integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM ledger.enter_slot(p_user);
  UPDATE ledger.price_alert x SET mail_due = false
    WHERE x.user_id = p_user AND x.alert_id = p_alert AND x.version = p_version;
END $$;

GRANT SELECT ON ledger.price_alert TO outcry_app, outcry_edge;
GRANT EXECUTE ON FUNCTION ledger.set_price_alert, ledger.drop_price_alert, ledger.fire_price_alert,
  ledger.price_alerts_to_mail, ledger.price_alert_mailed, ledger.price_alert_facts TO outcry_app;
