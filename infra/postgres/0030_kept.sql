-- What new orders would keep of the cash, for their preview: what ledger.rehold would do, with nothing
-- written.

-- By how much what the account holds would grow if these orders of one user (a JSON array of objects with
-- the columns of an order, and its terms) were placed one after another. What only closes a position, a
-- delivery sale and a GTT keep nothing; orders of one position share its margin.
CREATE FUNCTION ledger.kept_by(p_orders text, p_trade_date date) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE r record; o ledger.orders; b ledger.orders; v_after jsonb := '{}'; v_place text;
  p ledger.position; q ledger.position; v_kept bigint := 0;
BEGIN
  FOR r IN SELECT x.value FROM jsonb_array_elements(p_orders::jsonb) WITH ORDINALITY x
    ORDER BY x.ordinality
  LOOP
    o := jsonb_populate_record(NULL::ledger.orders, r.value);
    o.trade_date := p_trade_date; o.filled_quantity := 0; o.status := 'PENDING';
    PERFORM ledger.account_on(o.user_id, p_trade_date);  -- only its slot's home can say
    IF jsonb_typeof(r.value -> 'terms') = 'object' THEN
      o := ledger.with_terms(o, (r.value -> 'terms')::json);
    END IF;
    IF o.product = 'MIS' THEN
      b := o; b.status := 'DENIED';
      v_place := o.symbol || ' ' || o.trade_date;
      p := CASE WHEN v_after ? v_place
        THEN jsonb_populate_record(NULL::ledger.position, v_after -> v_place)
        ELSE ledger.position_of(o) END;
      q := ledger.with_order(p, b, o);
      v_kept := v_kept + ledger.position_hold(q) - ledger.position_hold(p);
      v_after := v_after || jsonb_build_object(v_place, to_jsonb(q));
    ELSIF o.side = 'BUY' THEN
      v_kept := v_kept + ledger.reserve_of(o);
    END IF;
  END LOOP;
  RETURN v_kept;
END $$;

GRANT EXECUTE ON FUNCTION ledger.kept_by TO outcry_app;
