-- Curves of volume that are observed: a symbol's own, drawn each trading day from the candles of the
-- days before it (functions/orders/draw_volume_curves.py) and kept beside the plans, so that a VWAP
-- needs no other store.
--
-- Invariant: a curve of a symbol and a day is written once and never changed: its date names it. One
-- that was followed by another more than a week ago goes; the plans that went by it have their
-- volumes in their slices.

-- Of how many days it is the average; null: assumed.
ALTER TABLE ledger.volume_curve ADD COLUMN days integer CHECK (days > 0);

-- The days for which all of them were drawn.
CREATE TABLE ledger.volume_curve_draw (
  hours      text NOT NULL,
  valid_from date NOT NULL,
  curves     integer NOT NULL,
  drawn_at   timestamptz NOT NULL,
  PRIMARY KEY (hours, valid_from)
);
GRANT SELECT ON ledger.volume_curve_draw TO outcry_app;

-- p_curves: a JSON array of {symbol, begins, minutes, volumes, source, days}. Those that are there stay.
CREATE FUNCTION ledger.keep_volume_curves(p_hours text, p_valid_from date, p_curves text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO ledger.volume_curve
      (symbol, hours, valid_from, begins, minutes, volumes, source, days)
    SELECT r.symbol, p_hours, p_valid_from, r.begins, r.minutes, r.volumes, r.source, r.days
    FROM json_to_recordset(p_curves::json)
      AS r (symbol text, begins time, minutes integer, volumes bigint[], source text, days integer)
    WHERE r.symbol <> '*' AND r.days IS NOT NULL
    ON CONFLICT DO NOTHING
$$;
GRANT EXECUTE ON FUNCTION ledger.keep_volume_curves TO outcry_app;

-- Says that the day's curves are all drawn; the superseded ones go.
CREATE FUNCTION ledger.end_volume_curve_draw(p_hours text, p_valid_from date, p_curves integer,
    p_now timestamptz)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO ledger.volume_curve_draw VALUES (p_hours, p_valid_from, p_curves, p_now)
    ON CONFLICT DO NOTHING;
  DELETE FROM ledger.volume_curve c WHERE c.hours = p_hours AND c.days IS NOT NULL
    AND EXISTS (SELECT FROM ledger.volume_curve later WHERE later.symbol = c.symbol
      AND later.hours = c.hours AND later.valid_from > c.valid_from
      AND later.valid_from < p_valid_from - 7)
$$;
GRANT EXECUTE ON FUNCTION ledger.end_volume_curve_draw TO outcry_app;
