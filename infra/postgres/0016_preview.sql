-- What an order would leave, for its preview: what ledger.book_fill would do, with nothing written.

-- What could be spent once the order (JSON, with the columns of an order) had traded whole at its limit
-- price: what the funds would show as available then; of a buy beyond the cash, below zero by what it
-- lacks. Of a delivery sale beyond the holding only what is held brings anything.
CREATE FUNCTION ledger.available_after(p_order text, p_trade_date date, p_settles_on date)
RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE o ledger.orders; a ledger.account; p ledger.position; f record;
  v_value bigint; v_charged bigint; v_gain bigint; v_held bigint := 0; v_blocked bigint := 0;
  v_result bigint; v_quantity bigint;
BEGIN
  o := jsonb_populate_record(o, p_order::jsonb);
  o.trade_date := p_trade_date;
  a := ledger.account_on(o.user_id, p_trade_date);
  v_value := div(o.quantity::numeric * o.limit_price + 50, 100)::bigint;  -- of any size: not judged yet
  SELECT sum(c.amount)::bigint INTO v_charged
    FROM unnest(ledger.charges_on(v_value, o.charge_rates)) AS c (amount);
  IF o.product = 'MIS' THEN
    p := ledger.position_of(o);
    v_held := -ledger.position_hold(p);
    p.margin_rate := greatest(p.margin_rate, o.margin_rate);
    f := ledger.fill_position(p, o.side, o.quantity, v_value);
    v_held := v_held + ledger.position_hold(f.after);
    v_gain := f.realised - v_charged;
    -- Of the day's result a profit is blocked until it settles, as ledger.add_result does it.
    v_result := coalesce((SELECT r.amount FROM ledger.intraday_result r
      WHERE r.user_id = o.user_id AND r.trade_date = p_trade_date), 0);
    v_blocked := greatest(0, v_result + v_gain) - greatest(0, v_result);
    IF v_blocked < 0 THEN
      v_blocked := -least(-v_blocked, coalesce((SELECT d.intraday FROM ledger.settlement_due d
        WHERE d.user_id = o.user_id AND d.settles_on = p_settles_on), 0));
    END IF;
  ELSIF o.side = 'BUY' THEN
    v_gain := -v_value - v_charged;
  ELSE
    v_quantity := o.quantity - ledger.undelivered(o, o.quantity, p_trade_date);
    v_value := div(v_value::numeric * v_quantity * 2 + o.quantity, o.quantity * 2)::bigint;
    v_gain := v_value - v_charged;
    SELECT greatest(0, least(coalesce(sum(l.blocked), 0), v_gain))::bigint INTO v_blocked
      FROM ledger.pick_lots(o.user_id, o.symbol, v_quantity, v_value, p_trade_date) l;
  END IF;
  -- As ledger.move_cash does it: money in repays a loan, what a loss lacks is lent, and no more is
  -- blocked than there is. A delivery buy beyond the cash is refused, not lent for.
  a.cash := a.cash + v_gain - least(a.borrowed, greatest(0, v_gain));
  IF o.product = 'MIS' THEN a.cash := greatest(0, a.cash); END IF;
  RETURN a.cash - a.held - v_held - least(a.blocked + v_blocked, greatest(0, a.cash));
END $$;

GRANT EXECUTE ON FUNCTION ledger.available_after TO outcry_app;
